//! The copy.

pub(crate) mod ledger;
