//! The whole table: every state with both deliveries, both protocols and all sizes. Minutes: `cargo xtask chaos`.

use std::collections::BTreeMap;

use super::cell::{Delivery, Fact, cell};
use super::record::{self, mebibytes};
use super::state::{State, each_state};
use super::traffic::{Load, Protocol};
use super::{LARGEST, USUAL};

/// Size of bodies, clients, and writes of each.
const LOADS: [(usize, usize, usize); 3] = [(1 << 10, 4, 16), (USUAL, 4, 16), (LARGEST, 3, 2)];

async fn every_cell_of(state: State) {
    let deliveries: &[_] =
        if state.needs_disk() { &[Delivery::Durable] } else { &[Delivery::Memory, Delivery::Durable] };
    let mut rows = Vec::new();
    for &delivery in deliveries {
        let mut sum = Sum::default();
        for protocol in [Protocol::Http1, Protocol::Http2] {
            for (size, clients, each) in LOADS {
                sum.add(&cell(state, delivery, Load { protocol, size, clients, each }).await);
            }
        }
        rows.push(sum.row(state, delivery));
    }
    record::write("whole", &format!("{state:?}"), &rows);
}

/// Over the protocols and sizes.
#[derive(Default)]
struct Sum {
    cells: usize,
    requests: usize,
    causes: BTreeMap<String, u64>,
    memory: u64,
    sockets: usize,
    disk: u64,
}

impl Sum {
    fn add(&mut self, fact: &Fact) {
        self.cells += 1;
        self.requests += fact.requests;
        for (cause, count) in &fact.causes {
            *self.causes.entry(cause.clone()).or_default() += count;
        }
        self.memory = self.memory.max(fact.memory);
        self.sockets = self.sockets.max(fact.sockets);
        self.disk = self.disk.max(fact.disk);
    }

    fn row(&self, state: State, delivery: Delivery) -> String {
        let causes: Vec<_> = self.causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
        let place = State::ALL.iter().position(|each| *each == state).unwrap_or_default();
        let delivery = if delivery == Delivery::Memory { "memory" } else { "durable" };
        format!(
            "{place:02}\t{}\t{delivery}\t{}\t{}\t{}\t{}\t{}\t{}",
            state.words(),
            self.cells,
            self.requests,
            causes.join(", "),
            mebibytes(self.memory),
            self.sockets,
            mebibytes(self.disk)
        )
    }
}

each_state!(every_cell_of);
