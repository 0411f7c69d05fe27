//! The store against a file system that does everything a real one may do.

mod basics;
mod copies;
mod corruption;
mod driver;
mod faults;
mod fixture;
mod histories;
mod model;
