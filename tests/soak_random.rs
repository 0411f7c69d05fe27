//! The longest form: real traffic for half an hour, beside faults of random kind, at random times, of random length.
//!
//! The seed is printed, and given again (`SOAK_SEED`) it repeats the faults in their order. As in [`soak`](crate::soak)
//! the clock is the writers': so and so many of their answers are a second. `SOAK_MINUTES` sets another length.

use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;

use crate::dsl::clusters::SECONDARY;
use crate::dsl::relay::Way;
use crate::dsl::wait::until_within;
use crate::dsl::{Backlog, Latency, Treatment, alone};
use crate::soak::{PATIENCE, Rig, report};

/// Length in minutes, unless told otherwise.
const MINUTES: usize = 30;
/// Seconds of health between two faults, and of a fault, at most.
const HEALTH: usize = 8;
const FAULT: usize = 15;
/// So few copies are those of the Prometheus, which goes on while the writers rest: the secondary has caught up.
const AT_REST: u64 = 20;
/// How much more memory the process may hold at rest at the end than it did at first.
const GROWTH: u64 = 24 << 20;
const MEBIBYTE: u64 = 1 << 20;

/// What happens to the secondary, or on the way to it.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Refused,
    Held,
    Cut,
    Status(u16),
    Limited,
    AnswersCutOff,
    Late,
    Hanging,
}

const FAULTS: [Fault; 11] = [
    Fault::Refused,
    Fault::Held,
    Fault::Cut,
    Fault::Status(500),
    Fault::Status(503),
    Fault::Status(404),
    Fault::Status(401),
    Fault::Limited,
    Fault::AnswersCutOff,
    Fault::Late,
    Fault::Hanging,
];

impl Fault {
    fn begin(self, rig: &Rig) {
        match self {
            Self::Refused => rig.relay.set(Way::Refused),
            Self::Held => rig.relay.set(Way::Held),
            Self::Cut => rig.relay.set(Way::Cut),
            Self::Status(status) => rig.switch.set(Treatment::refused(status)),
            Self::Limited => rig.switch.set(Treatment::refused_for(429, 1)),
            Self::AnswersCutOff => rig.switch.set(Treatment::cut_off()),
            Self::Late => rig.switch.set(Treatment::after(&Latency::between(100..=900))),
            Self::Hanging => rig.switch.set(Treatment::hanging()),
        }
    }

    fn end(rig: &Rig) {
        rig.relay.set(Way::Open);
        rig.switch.set(Treatment::prompt());
    }
}

/// What a line of the log may say: how it was set up, and that the mirror is in trouble or well again. That a copy was
/// lost or refused is not among it.
const EXPECTED: [&str; 8] = [
    "mirrors[0].delivery: copies that are read back from disk go without the client's `Authorization`",
    "INFO endpoints cluster=",
    "INFO admin listening",
    "INFO listening listener=",
    "INFO mirroring mirror=",
    "INFO the backlog is open",
    "WARN the mirror takes no copies; they wait",
    "INFO the mirror takes copies again",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half an hour: cargo xtask soak"]
async fn faults_at_random() {
    let _alone = alone().await;
    let (minutes, seed) = (number("SOAK_MINUTES").unwrap_or(MINUTES as u64), seed());
    report(&format!("{minutes} minutes of faults at random, SOAK_SEED={seed}"));
    let backlog = Backlog::new();
    let settings = backlog.settings();
    let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let rig = Rig::start(0..=20, &[settings.as_slice(), &[("timeout", "2s")]].concat()).await;

    let mut random = Rng::with_seed(seed);
    let seconds = usize::try_from(minutes).expect("not that long") * 60;
    let (mut passed, mut faults, mut at_rest) = (0, 0, Vec::new());
    while passed < seconds {
        let (health, fault) = (random.usize(1..=HEALTH), random.usize(1..=FAULT));
        rig.for_seconds(health).await;
        has_caught_up(&rig).await;
        at_rest.push(rig.clusters.proxy.process.memory());
        let kind = FAULTS[random.usize(..FAULTS.len())];
        kind.begin(&rig);
        rig.for_seconds(fault).await;
        Fault::end(&rig);
        passed = rig.seconds();
        faults += 1;
        report(&format!("second {passed}: {fault} s of {kind:?}"));
    }
    has_caught_up(&rig).await;
    at_rest.push(rig.clusters.proxy.process.memory());
    let log = rig.clusters.proxy.process.stderr();
    rig.end(&format!("{faults} faults in {passed} s, SOAK_SEED={seed}")).await;
    assert_flat(&at_rest);
    assert_expected(&log);
}

/// With the writers at rest: on a machine that they load to the full, copies are what has to wait.
async fn has_caught_up(rig: &Rig) {
    let caught_up = until_within(PATIENCE, "the secondary's catching up", async || {
        let pending = rig.clusters.proxy.ledger(SECONDARY).await.pending;
        (pending < AT_REST).then_some(())
    });
    rig.at_rest(caught_up).await;
}

/// The last third of the rests holds no more than the first.
fn assert_flat(at_rest: &[u64]) {
    let third = at_rest.len().div_ceil(3);
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default();
    let (first, last) = (most(&at_rest[..third]), most(&at_rest[at_rest.len() - third..]));
    report(&format!(
        "memory at {} rests: at most {} MiB in the first third, {} MiB in the last, {} MiB at the end",
        at_rest.len(),
        first / MEBIBYTE,
        last / MEBIBYTE,
        at_rest.last().copied().unwrap_or_default() / MEBIBYTE
    ));
    assert!(last <= first + GROWTH, "memory grew from {first} to {last} bytes");
}

fn assert_expected(log: &str) {
    let unexpected: Vec<_> =
        log.lines().filter(|line| !EXPECTED.iter().any(|expected| line.contains(expected))).collect();
    report(&format!("{} lines in the log, {} of them unexpected", log.lines().count(), unexpected.len()));
    assert!(unexpected.is_empty(), "unexpected log lines:\n{}", unexpected.join("\n"));
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

fn seed() -> u64 {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").subsec_nanos();
    number("SOAK_SEED").unwrap_or_else(|| u64::from(clock()))
}
