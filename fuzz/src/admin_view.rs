//! What the program's own tests ask of the admin.

pub(crate) use crate::admin::{Command, View};

#[path = "../../src/admin/fixture.rs"]
pub(crate) mod fixture;
