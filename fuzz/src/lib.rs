//! What the fuzzers run: the program's own modules, as `src/main.rs` has them, and what is asked of each.
//!
//! The targets of this folder are in `make test` too, on the files of `fuzz/corpus` with damage from a fixed seed:
//! `src/route/tests.rs`, `src/admin/tests.rs` and `crates/backlog/tests` take these very files.
#![allow(dead_code, missing_docs, unfulfilled_lint_expectations, reason = "the program's own files, of which some are used here")]

mod admin_view;
mod damaged_backlog;
mod disk;
mod request_head;
mod routing;

#[path = "admin.rs"]
mod admin_request;

#[path = "../../src/cli/mod.rs"]
mod cli;
#[path = "../../src/control/mod.rs"]
mod control;
#[path = "../../src/offline/mod.rs"]
mod offline;
#[path = "../../src/descriptors.rs"]
mod descriptors;
#[path = "../../src/lifecycle.rs"]
mod lifecycle;
#[path = "../../src/limits.rs"]
mod limits;
#[path = "../../src/log/mod.rs"]
mod log;
#[path = "../../src/paths.rs"]
mod paths;
#[path = "../../src/signals.rs"]
mod signals;
#[path = "../../src/worker.rs"]
mod worker;
#[path = "../../src/server/mod.rs"]
mod server;
#[path = "../../src/route/mod.rs"]
mod route;
#[path = "../../src/exchange/mod.rs"]
mod exchange;
#[path = "../../src/mirror/mod.rs"]
mod mirror;
#[path = "../../src/upstream/mod.rs"]
mod upstream;
#[path = "../../src/cluster/mod.rs"]
mod cluster;
#[path = "../../src/tls/mod.rs"]
mod tls;
#[path = "../../src/access_log/mod.rs"]
mod access_log;
#[path = "../../src/format/mod.rs"]
mod format;
#[path = "../../src/deadline.rs"]
mod deadline;
#[path = "../../src/executor.rs"]
mod executor;
#[path = "../../src/files.rs"]
mod files;
#[path = "../../src/sockets.rs"]
mod sockets;
#[path = "../../src/stats/mod.rs"]
mod stats;
#[path = "../../src/terminal.rs"]
mod terminal;
#[path = "../../src/admin/mod.rs"]
mod admin;
#[path = "../../src/demo/mod.rs"]
mod demo;
#[path = "../../src/status.rs"]
mod status;

use std::cell::RefCell;

use config::model::HttpManager;

use admin_view::fixture::{self, Fixture, SECRET};
use route::Table;

thread_local! {
    static SITE: (HttpManager, Table) = {
        let site = routing::site();
        let table = Table::new(&site.virtual_hosts);
        (site, table)
    };
    static ADMIN: RefCell<Fixture> = RefCell::new(fixture::busy());
}

pub fn routing(bytes: &[u8]) {
    SITE.with(|(site, table)| routing::routing(site, table, bytes));
}

pub fn request_head(bytes: &[u8]) {
    SITE.with(|(site, _)| request_head::request_head(site, bytes));
}

pub fn admin(bytes: &[u8]) {
    ADMIN.with_borrow_mut(|fixture| {
        let Fixture { view, commands } = fixture;
        admin_request::admin(view, SECRET, || commands.try_recv().is_ok(), bytes);
    });
}

pub fn backlog(bytes: &[u8]) {
    damaged_backlog::damaged_backlog(bytes);
}
