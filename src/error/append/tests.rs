// SPDX-License-Identifier: Apache-2.0
//! What an error says of itself.

use super::*;

#[test]
fn a_record_says_of_an_error_what_it_is_and_none_of_the_callers_words() {
    let stale = AppendError::PermitStale { what: "registry" };
    assert_eq!(stale.recorded(), stale.to_string());
    let rejected = AppendError::Rejected {
        document: "limits".into(),
        validator: "size".into(),
        problem: "the secret is hunter2".into(),
    };
    let words = rejected.to_string();
    let told = words.replace("the secret is hunter2", "see the answer");
    assert!(told != words && rejected.recorded() == told, "{words}");
}

#[test]
fn only_an_unknown_outcome_does_not_say_that_nothing_was_written() {
    let command = CommandId::from_bytes([7; 16]);
    let unknown = AppendError::OutcomeUnknown { command };
    assert_eq!(unknown.retry(), Retry::LookUpFirst);
    let text = unknown.to_string();
    assert!(text.contains("outcome unknown") && text.contains(&command.to_string()));
    for (error, retry) in [
        (AppendError::ShuttingDown, Retry::AfterReopen),
        (AppendError::Access(AccessError::ForeignGrant), Retry::Never),
        (AppendError::History(ReadError::Closed), Retry::AfterReopen),
        (AppendError::PermitStale { what: "registry" }, Retry::Never),
        (AppendError::ViewLag { lag: 1 }, Retry::Safe),
    ] {
        assert!(
            error.to_string().starts_with("nothing was written"),
            "{error}"
        );
        assert_eq!(error.retry(), retry, "{}", error.code());
    }
}
