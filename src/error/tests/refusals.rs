// SPDX-License-Identifier: Apache-2.0
//! Each refusal of a right, and of what waits for persons.

use super::*;

pub(super) fn approving() -> [ApprovalError; 5] {
    let execution = ExecutionId::from_bytes([2; 16]);
    [
        ApprovalError::NotAsked { execution },
        ApprovalError::ApprovedAlready { execution },
        ApprovalError::ShownOther {
            execution,
            shown_digest: [1; 32],
        },
        ApprovalError::TooLate {
            execution,
            until_ns: 1,
        },
        ApprovalError::BasisMoved {
            execution,
            what: "registry",
            asked: 1,
            in_force: 2,
            hint: "ask anew",
        },
    ]
}

pub(super) fn access() -> [AccessError; 6] {
    let component = || "runtime".to_owned();
    let (right, store) = (Right::Append, Store::Telemetry);
    [
        AccessError::ForeignExecution {
            execution: ExecutionId::from_bytes([2; 16]),
        },
        AccessError::ForeignGrant,
        AccessError::Revoked {
            component: component(),
        },
        AccessError::NotGranted {
            component: component(),
            right,
            store,
        },
        AccessError::MayNotSign {
            component: component(),
        },
        AccessError::MayNotApprove {
            component: component(),
        },
    ]
}
