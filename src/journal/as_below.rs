// SPDX-License-Identifier: Apache-2.0
//! A journal over another one.

/// The methods of a journal that answer as the one below it does.
macro_rules! as_below {
    (|$this:ident| $below:expr; $($method:ident),+) => {
        $($crate::journal::as_below!(@$method $this $below);)+
    };
    (@append $this:ident $below:expr) => {
        fn append(
            &self,
            frame: &$crate::journal::Frame,
            after: &$crate::journal::Head,
        ) -> Result<(), $crate::journal::AppendFailure> {
            let $this = self;
            $below.append(frame, after)
        }
    };
    (@head $this:ident $below:expr) => {
        fn head(&self) -> Result<$crate::journal::Head, $crate::journal::ReadFailure> {
            let $this = self;
            $below.head()
        }
    };
    (@ledger $this:ident $below:expr) => {
        fn ledger(&self) -> Result<Option<$crate::events::LedgerId>, $crate::journal::ReadFailure> {
            let $this = self;
            $below.ledger()
        }
    };
    (@frame_at $this:ident $below:expr) => {
        fn frame_at(
            &self,
            seq: $crate::events::Seq,
        ) -> Result<Option<$crate::journal::Frame>, $crate::journal::ReadFailure> {
            let $this = self;
            $below.frame_at(seq)
        }
    };
    (@frames $this:ident $below:expr) => {
        fn frames(&self, from: $crate::events::Seq) -> $crate::journal::Frames {
            let $this = self;
            $below.frames(from)
        }
    };
    (@close $this:ident $below:expr) => {
        fn close(&self) {
            let $this = self;
            $below.close()
        }
    };
    (@size_bytes $this:ident $below:expr) => {
        fn size_bytes(&self) -> u64 {
            let $this = self;
            $below.size_bytes()
        }
    };
    (@wal_files $this:ident $below:expr) => {
        fn wal_files(&self) -> usize {
            let $this = self;
            $below.wal_files()
        }
    };
    (@wal_holds $this:ident $below:expr) => {
        fn wal_holds(&self) -> bool {
            let $this = self;
            $below.wal_holds()
        }
    };
    (@unfinished $this:ident $below:expr) => {
        fn unfinished(&self) -> $crate::journal::Unfinished {
            let $this = self;
            $below.unfinished()
        }
    };
}

pub(crate) use as_below;
