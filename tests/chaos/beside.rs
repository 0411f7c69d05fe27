//! The same states behind four programs: what their primary's clients saw of it, what it took, and how many copies
//! came. Measured and recorded, not asserted: others' promises are others'. Minutes: `cargo xtask chaos`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::record::{self, mebibytes};
use super::rivals::{self, Rival};
use super::state::{Mirror, State, each_state};
use super::traffic::{self, Load, Outcome, Protocol};
use super::usage::Watch;
use super::{LARGEST, USUAL};

/// Size of bodies, clients, and writes of each.
const LOADS: [(usize, usize, usize); 2] = [(USUAL, 8, 25), (LARGEST, 4, 4)];
/// A write that has no answer by then counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long copies may still come after the last answer.
const LATE: Duration = Duration::from_secs(5);

async fn beside(state: State) {
    // Others keep no copies on a disk.
    if state.needs_disk() {
        return;
    }
    let place = State::ALL.iter().position(|each| *each == state).unwrap_or_default();
    let mut rows = Vec::new();
    for (size, clients, each) in LOADS {
        let load = Load { protocol: Protocol::Http1, size, clients, each };
        for rival in Rival::ALL {
            rows.push(format!(
                "{place:02}\t{}\t{size}\t{rival}\t{}",
                state.words(),
                run(state, rival, load).await
            ));
        }
    }
    record::write("beside", &format!("{state:?}"), &rows);
}

/// Writes; of these answered by the primary; p99 in milliseconds; memory at its peak; sockets at their peak and after
/// the clients have left; writes that the mirror read whole, or a dash if it reads none.
async fn run(state: State, rival: Rival, load: Load) -> String {
    let mirror = Mirror::start(state).await;
    let primary = traffic::primary().await;
    let running = rivals::start(rival, &primary, &mirror).await;
    let watch = Arc::new(Watch::of(running.process(), None));
    let outcome = traffic::send(load, running.listen, &watch, PATIENCE).await;
    let most = watch.most();
    let whole = whole(&mirror, load).await;
    let left = watch.now().sockets;
    let whole = if mirror.reads() { whole.to_string() } else { "-".to_owned() };
    let (answered, got) = (answered(&outcome), traffic::got(&primary).len());
    format!(
        "{}\t{answered}\t{got}\t{}\t{}\t{}\t{left}\t{whole}",
        load.total(),
        percentile(&outcome, 99),
        mebibytes(most.peak_memory),
        most.sockets,
    )
}

fn answered(outcome: &Outcome) -> usize {
    let right = |(number, answer): (&String, &Option<traffic::Answer>)| {
        answer.as_ref().is_some_and(|answer| answer.is_for(number))
    };
    outcome.answers.iter().filter(|one| right(*one)).count()
}

/// In milliseconds.
fn percentile(outcome: &Outcome, percent: usize) -> u128 {
    let mut durations = outcome.durations.clone();
    durations.sort();
    let place = (durations.len() * percent).div_ceil(100).saturating_sub(1);
    durations.get(place).map_or(0, Duration::as_millis)
}

/// Copies that came, once all have or time is up.
async fn whole(mirror: &Mirror, load: Load) -> u64 {
    let end = Instant::now() + if mirror.reads() { LATE } else { Duration::from_secs(2) };
    while Instant::now() < end && mirror.whole() < load.total() as u64 {
        sleep(Duration::from_millis(50)).await;
    }
    mirror.whole()
}

each_state!(beside);
