//! A copy as the backlog keeps it.
