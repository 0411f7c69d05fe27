//! Every interleaving of workers that answer, finish and begin: no copy goes while one is unfinished that it must stand
//! behind, and each that waits is let go exactly once.

use std::sync::Arc;

use model::sync::atomic::{AtomicBool, Ordering::SeqCst};
use model::thread;
use order_loom::{Permits, Shared};

fn permits(receiver: &mut Permits) -> Vec<u64> {
    std::iter::from_fn(|| receiver.try_recv().ok()).map(|permit| permit.place.0).collect()
}

/// One worker answers its client, whose next request may come to the other before the copy is finished.
#[test]
fn c8_what_begins_after_an_answer_goes_after_its_copy() {
    model::model(|| {
        let (shared, mut permitted) = Shared::new(2);
        let (answered, finished) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let first = {
            let (shared, answered, finished) = (shared.clone(), Arc::clone(&answered), Arc::clone(&finished));
            thread::spawn(move || {
                let worker = shared.worker(0);
                let copy = worker.take(worker.begin());
                copy.trail();
                answered.store(true, SeqCst);
                finished.store(true, SeqCst);
                drop(copy);
            })
        };
        let second = thread::spawn(move || {
            let after_the_answer = answered.load(SeqCst);
            let worker = shared.worker(1);
            let copy = worker.take(worker.begin());
            if copy.is_direct() {
                assert!(!after_the_answer || finished.load(SeqCst), "overtaken");
                return (copy.place(), false);
            }
            // Still waiting when it leaves: like one that has expired.
            let place = copy.place();
            std::mem::forget(copy);
            (place, true)
        });
        first.join().expect("no panic");
        let (place, waited) = second.join().expect("no panic");
        let expected = if waited { vec![place] } else { vec![] };
        assert_eq!(permits(&mut permitted[1]), expected, "each that waits is let go once");
        assert_eq!(permits(&mut permitted[0]), Vec::<u64>::new());
    });
}

/// Two copies trail, each on its own worker; the third waits for the last of those that were answered when it began.
#[test]
fn c8_a_copy_waits_for_the_last_of_those_before_it() {
    model::model(|| {
        let (shared, mut permitted) = Shared::new(3);
        let flags = || [0, 1].map(|_| Arc::new(AtomicBool::new(false)));
        let (answered, finished) = (flags(), flags());
        let mut threads = Vec::new();
        for index in 0..2 {
            let (shared, answered, finished) =
                (shared.clone(), Arc::clone(&answered[index]), Arc::clone(&finished[index]));
            threads.push(thread::spawn(move || {
                let worker = shared.worker(index);
                let copy = worker.take(0);
                copy.trail();
                answered.store(true, SeqCst);
                finished.store(true, SeqCst);
                drop(copy);
            }));
        }
        let before = answered.each_ref().map(|answered| answered.load(SeqCst));
        let worker = shared.worker(2);
        let copy = worker.take(worker.begin());
        for (before, finished) in before.into_iter().zip(&finished) {
            assert!(!copy.is_direct() || !before || finished.load(SeqCst), "overtaken");
        }
        let (place, waits) = (copy.place(), !copy.is_direct());
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let expected = if waits { vec![place] } else { vec![] };
        assert_eq!(permits(&mut permitted[2]), expected);
    });
}
