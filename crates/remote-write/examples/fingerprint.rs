//! What reading the series of one body costs: CPU time of the steps apart and together.
//!
//! `cargo run --release -p mimir-mirror-remote-write --example fingerprint`
//!
//! The body is that of a Prometheus with default settings: 2000 series, 67 KB compressed. Times are of this
//! thread's CPU, not of the clock, so a busy machine disturbs them little; the best and the middle round of many
//! are shown.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]
#![allow(clippy::expect_used, reason = "its own bodies; a failure is a bug and ends the run")]

use std::hint::black_box;

use prost::Message as _;
use remote_write::fingerprint::{DEFAULT_MAX_UNCOMPRESSED, Scratch, Seed, Series, otlp_series, series};
use remote_write::synthetic::Generator;
use remote_write::{HEADERS, HEADERS_V2, WriteRequest, encode, message2, otlp};
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 2_000;

fn main() {
    let mut generator = Generator::new(1, 0, 15_000);
    for samples in [500, 2_000, 10_000] {
        let request = generator.batch(samples, 1_760_000_000_000);
        measure(&request, "1.0", &encode(&request), HEADERS[1].1);
        let request = message2::Request::from_v1(&request);
        measure(&request, "2.0", &encode(&request), HEADERS_V2[1].1);
    }
    measure_otlp(generator.batch(2_000, 1_760_000_000_000));
    let request: WriteRequest = generator.batch(2_000, 1_760_000_000_000);
    let body = encode(&request);
    report("prost, for comparison", || {
        black_box(remote_write::decode(black_box(&body), DEFAULT_MAX_UNCOMPRESSED).expect("its own body"));
    });
}

fn measure(message: &impl prost::Message, version: &str, body: &[u8], content_type: &str) {
    let raw = message.encode_to_vec();
    let mut scratch = Scratch::new(Seed::random(), DEFAULT_MAX_UNCOMPRESSED);
    let mut found = Vec::new();
    let count = match series(body, content_type, Some("snappy"), &mut scratch, &mut found) {
        Series::Known(count) => count,
        Series::Everything(reason) => unreachable!("its own body is {}", reason.as_str()),
    };
    println!("remote write {version}: {count} series, {} bytes, {} uncompressed", body.len(), raw.len());
    let mut room = vec![0; raw.len()];
    report("snappy", || {
        snap::raw::Decoder::new().decompress(black_box(body), &mut room).expect("its own body");
    });
    // The rest alone: in a block of one literal, decompression is a copy.
    let stored = stored(&raw);
    report("a copy", || {
        snap::raw::Decoder::new().decompress(black_box(&stored), &mut room).expect("its own body");
    });
    report("a copy, walk and sort", || {
        black_box(series(black_box(&stored), content_type, None, &mut scratch, &mut found));
    });
    report("together", || {
        black_box(series(black_box(body), content_type, None, &mut scratch, &mut found));
    });
}

/// A push of a collector that relays the pods of the batch; then without instances, so that the points are read too.
fn measure_otlp(mut request: WriteRequest) {
    for what in ["with instances", "without instances"] {
        let push = otlp::from_v1(&request);
        let (raw, body) = (push.encode_to_vec(), otlp::encode(&push));
        let mut scratch = Scratch::new(Seed::random(), DEFAULT_MAX_UNCOMPRESSED);
        let mut found = Vec::new();
        let content_type = otlp::HEADERS[1].1;
        let mut read =
            |body: &[u8], encoding| match otlp_series(body, content_type, encoding, &mut scratch, &mut found)
            {
                Series::Known(count) => count,
                Series::Everything(reason) => unreachable!("its own body is {}", reason.as_str()),
            };
        let count = read(&body, Some("gzip"));
        println!("OTLP {what}: {count} targets, {} bytes, {} uncompressed", body.len(), raw.len());
        report("walk and sort", || {
            black_box(read(black_box(&raw), None));
        });
        report("gzip, walk and sort", || {
            black_box(read(black_box(&body), Some("gzip")));
        });
        request
            .timeseries
            .iter_mut()
            .for_each(|series| series.labels.retain(|label| label.name != "instance"));
    }
}

/// A snappy block that holds the bytes as they are.
fn stored(raw: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(raw.len() + 10);
    prost::encoding::encode_varint(raw.len() as u64, &mut block);
    let last = u32::try_from(raw.len() - 1).expect("less than 4 GiB");
    block.push(63 << 2); // a literal whose length, less one, stands in four bytes
    block.extend_from_slice(&last.to_le_bytes());
    block.extend_from_slice(raw);
    block
}

fn report(what: &str, mut step: impl FnMut()) {
    let mut micros: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = cpu_micros();
            step();
            cpu_micros() - start
        })
        .collect();
    micros.sort_by(f64::total_cmp);
    let middle = micros.get(micros.len() / 2).copied().unwrap_or_default();
    let best = micros.first().copied().unwrap_or_default();
    println!("  {what:<22} {best:8.1} µs at best, {middle:8.1} µs in the middle");
}

fn cpu_micros() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}
