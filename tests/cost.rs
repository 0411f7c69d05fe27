//! What a mirrored request costs in instructions and allocations. Valgrind counts both, so that they are the same on a
//! busy machine as on an idle one; time is for the benchmark alone.
//!
//! The ceilings are a little above what was counted when they were last set. A change that goes over one of them has
//! made every request dearer: make it cheaper, or raise the ceiling and say why.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::wait::until_within;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, bytes_of, until};

/// Instructions of a request and its copy in user space, over kept connections, as `make test` builds the program.
const INSTRUCTIONS: u64 = 106_000;
/// Allocations of a request and its copy.
const ALLOCATIONS: u64 = 44;
/// Requests before the count begins, and those that are counted.
const WARM_UP: usize = 100;
const COUNTED: usize = 500;
/// Starting and ending take their time under Valgrind.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a whole run of the program took.
struct Cost {
    instructions: u64,
    allocations: u64,
}

#[tokio::test]
async fn a_mirrored_request_costs_no_more_than_it_did() {
    let [few, many] = [cost(WARM_UP).await, cost(WARM_UP + COUNTED).await];
    let each = |of: fn(&Cost) -> u64| (of(&many) - of(&few)) / COUNTED as u64;
    let (instructions, allocations) = (each(|cost| cost.instructions), each(|cost| cost.allocations));
    assert!(allocations <= ALLOCATIONS, "{allocations} allocations a request, at most {ALLOCATIONS}");
    assert!(instructions <= INSTRUCTIONS, "{instructions} instructions a request, at most {INSTRUCTIONS}");
    // Far below the ceiling it guards nothing.
    assert!(allocations + 5 > ALLOCATIONS, "only {allocations} allocations a request: lower the ceiling");
}

/// Of a run that serves so many requests, one after the other, each when the copy of the last has its answer.
async fn cost(requests: usize) -> Cost {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let dir = Dir::new("callgrind");
    let counts = dir.path().join("counts");
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", counts.display()));
    command.arg(Program::MimirMirror.command().get_program());
    let text = |listen, admin| config.text(listen, admin);
    let mut proxy = Proxy::on_text(command, text, &["--concurrency", "1"]).await;
    let mut client = proxy.client().await;
    let request = Request::push(bytes_of(1024, 1));
    for sent in 1..=requests {
        assert_eq!(client.exchange(&request).await.status(), 200);
        until("the copy", async || (mirror.completed() >= sent).then_some(())).await;
    }
    proxy.settled("secondary").await;
    drop(client);
    proxy.process.signal("TERM");
    until_within(PATIENCE, "the program's end", async || proxy.process.ended()).await;
    read(&std::fs::read_to_string(counts).expect("callgrind writes its counts"))
}

/// The sum of instructions, and of calls of the allocator's entries.
fn read(counts: &str) -> Cost {
    let mut names: HashMap<&str, bool> = HashMap::new();
    let (mut instructions, mut allocations, mut is_entry) = (0, 0, false);
    for line in counts.lines() {
        if let Some(total) = line.strip_prefix("totals: ") {
            instructions = total.trim().parse().expect("a number");
        } else if let Some(function) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            // `(12) name` the first time, `(12)` from then on.
            let (id, name) = function.split_once(' ').unwrap_or((function, ""));
            let known = names.entry(id).or_insert_with(|| allocates(name));
            is_entry = line.starts_with("cfn=") && *known;
        } else if let Some(calls) = line.strip_prefix("calls=").filter(|_| is_entry) {
            let count: u64 = calls.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
            allocations += count;
        }
    }
    Cost { instructions, allocations }
}

/// What the program calls of its allocator to get memory.
fn allocates(function: &str) -> bool {
    ["mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned"].contains(&function)
}

#[test]
fn callgrinds_file_is_read_with_its_abbreviated_names() {
    let text = "fn=(1) main\n1 10\ncfn=(2) mi_malloc_aligned\ncalls=3 7\n1 5\ncfn=(3) other\ncalls=9 7\n1 5\n\
                fn=(4) else\ncfn=(2)\ncalls=4 7\n1 5\ntotals: 25\n";
    let cost = read(text);
    assert_eq!((cost.instructions, cost.allocations), (25, 7));
}
