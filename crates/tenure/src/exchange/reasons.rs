//! Why a value was refused, for errors of boards, which have no room for it: the lane keeps it until the error is answered.
//!
//! On hosts, or without the feature `serde`, all of this is of no size.

#[cfg(all(feature = "serde", any(not(feature = "std"), tenure_narrow)))]
mod kept {
    use core::cell::RefCell;

    use tenure_proto::status::StatusCode;

    use crate::{
        Error,
        exchange::{error::Told, values::mismatch::Reason},
    };

    /// What errors say of themselves whose text is kept here.
    const REASON: &str = "a value is not what is wanted here";

    /// What the last such error says, and which byte it tells.
    #[derive(Default)]
    pub(crate) struct Reasons(RefCell<(Reason, Option<u32>)>);

    impl Reasons {
        /// The error of that reason.
        pub(crate) fn error(&self, error: Error, reason: &Reason, byte: Option<u32>) -> Error {
            // Why this side has failed is logged, and not told.
            if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
                return error;
            }
            let error = Error::new(error.status(), REASON);
            *self.0.borrow_mut() = (reason.clone(), byte);
            error
        }
    }

    /// What is kept, lent.
    #[derive(Clone, Copy)]
    pub(crate) struct Lent<'a>(&'a Reasons);

    impl<'a> Lent<'a> {
        pub(crate) fn new(reasons: &'a Reasons) -> Self {
            Lent(reasons)
        }

        pub(crate) fn with<R>(self, then: impl FnOnce(Words<'_>) -> R) -> R {
            let kept = self.0.0.borrow();
            then(Words(kept.0.as_str(), kept.1))
        }
    }

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Words<'a>(&'a str, Option<u32>);

    impl<'a> Words<'a> {
        /// What is told of an error.
        pub(crate) fn of(self, told: &'a Told) -> &'a str {
            let is_kept = told.error.reason() == REASON && told.error.byte() == self.1 && !self.0.is_empty();
            if is_kept { self.0 } else { told.message() }
        }
    }
}

#[cfg(not(all(feature = "serde", any(not(feature = "std"), tenure_narrow))))]
mod kept {
    use core::marker::PhantomData;

    #[cfg(feature = "serde")]
    use crate::Error;
    use crate::exchange::error::Told;

    #[derive(Default)]
    pub(crate) struct Reasons(PhantomData<()>);

    #[cfg(feature = "serde")]
    impl Reasons {
        /// The error of that reason, which is kept elsewhere.
        #[expect(clippy::unused_self, reason = "without a heap it is kept here")]
        pub(crate) fn error(
            &self,
            error: Error,
            reason: &crate::exchange::values::mismatch::Reason,
            _: Option<u32>,
        ) -> Error {
            error.because(reason.as_str())
        }
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Lent<'a>(PhantomData<&'a Reasons>);

    impl<'a> Lent<'a> {
        pub(crate) fn new(_: &'a Reasons) -> Self {
            Lent(PhantomData)
        }

        #[expect(clippy::unused_self, reason = "without a heap it is lent")]
        pub(crate) fn with<R>(self, then: impl FnOnce(Words<'_>) -> R) -> R {
            then(Words(PhantomData))
        }
    }

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Words<'a>(PhantomData<&'a str>);

    impl<'a> Words<'a> {
        /// What is told of an error.
        #[expect(clippy::unused_self, reason = "without a heap it may be another text")]
        pub(crate) fn of(self, told: &'a Told) -> &'a str {
            told.message()
        }
    }
}

pub(crate) use kept::{Lent, Reasons, Words};
