//! What a receiver does with a request, and how a test changes its mind about it.

use std::sync::{Arc, Mutex};

use super::latency::Latency;
use super::wait::Gate;

/// What is done with a request.
#[derive(Clone)]
pub(crate) struct Treatment {
    pub(super) gate: Option<Gate>,
    pub(super) latency: Latency,
    pub(super) refusal: Option<Refusal>,
    /// The connection is reset in the middle of the answer.
    pub(super) cut: bool,
}

/// An answer that does not look at the samples.
#[derive(Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) text: &'static str,
    /// Seconds.
    pub(super) retry_after: Option<u32>,
}

impl Treatment {
    /// Judged and answered at once.
    pub(crate) fn prompt() -> Self {
        Self::after(&Latency::none())
    }

    /// Judged and answered later.
    pub(crate) fn after(latency: &Latency) -> Self {
        Self { gate: None, latency: latency.clone(), refusal: None, cut: false }
    }

    /// Not before the gate opens.
    pub(crate) fn behind(gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..Self::prompt() }
    }

    /// Read, and neither judged nor answered.
    pub(crate) fn hanging() -> Self {
        Self::behind(&Gate::closed())
    }

    /// Answered with this status; nothing is kept.
    pub(crate) fn refused(status: u16) -> Self {
        Self::refused_with(status, "scripted")
    }

    /// The same with this text.
    pub(crate) fn refused_with(status: u16, text: &'static str) -> Self {
        Self { refusal: Some(Refusal { status, text, retry_after: None }), ..Self::prompt() }
    }

    /// Answered with this status and the wish not to be asked for so many seconds; nothing is kept.
    pub(crate) fn refused_for(status: u16, seconds: u32) -> Self {
        let refusal = Refusal { status, text: "scripted", retry_after: Some(seconds) };
        Self { refusal: Some(refusal), ..Self::prompt() }
    }

    /// Judged, but of the answer only the beginning is sent before the connection is reset.
    pub(crate) fn cut_off() -> Self {
        Self { cut: true, ..Self::prompt() }
    }
}

/// A treatment that the test changes while the receiver runs.
#[derive(Clone)]
pub(crate) struct Switch(Arc<Mutex<Treatment>>);

impl Switch {
    pub(crate) fn on(treatment: Treatment) -> Self {
        Self(Arc::new(Mutex::new(treatment)))
    }

    /// For every request from now on.
    pub(crate) fn set(&self, treatment: Treatment) {
        *self.0.lock().expect("no panic in there") = treatment;
    }

    pub(crate) fn now(&self) -> Treatment {
        self.0.lock().expect("no panic in there").clone()
    }
}
