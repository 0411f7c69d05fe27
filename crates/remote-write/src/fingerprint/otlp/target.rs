//! Targets: the `job` and `instance` that a resource or a point gives to its series.

use super::super::Reason;
use super::super::hash::{EMPTY, LabelHasher};
use super::part::{key_value, messages, once, text};

/// `Resource.attributes`.
const RESOURCE_ATTRIBUTES: u32 = 1;

/// A label that a resource gives to its series.
#[derive(Clone, Copy)]
pub(super) enum Label {
    /// It says nothing: the points may.
    Open,
    /// It is empty, which a receiver might take for either.
    Empty,
    /// The number of its text.
    Is(u64),
}

/// The two labels of a target.
#[derive(Clone, Copy)]
pub(super) struct Labels {
    job: Label,
    instance: Label,
}

impl Labels {
    /// Whether points cannot change them.
    pub(super) fn are_known(self) -> bool {
        self.job.is_known() && self.instance.is_known()
    }

    pub(super) fn fingerprint(self, hasher: &LabelHasher) -> u64 {
        hasher.target(self.job.number(), self.instance.number())
    }

    /// The labels of a point's series: these, those of the resource, or else its own. `attributes` is their number.
    pub(super) fn of_point(
        self,
        point: &[u8],
        attributes: u32,
        hasher: &LabelHasher,
    ) -> Result<Self, Reason> {
        let (mut job, mut instance) = (None, None);
        messages(point, &[attributes], |attribute| {
            let (key, value) = key_value(attribute)?;
            match key {
                b"job" if !self.job.is_known() => once(&mut job, text(value)?),
                b"instance" if !self.instance.is_known() => once(&mut instance, text(value)?),
                _ => Ok(()),
            }
        })?;
        Ok(Self {
            job: self.job.of_point(job.map(|job| hasher.string(trimmed(job))))?,
            instance: self.instance.of_point(instance.map(|instance| hasher.string(instance)))?,
        })
    }
}

impl Label {
    /// The label of a point's series, which may claim one itself.
    fn of_point(self, claimed: Option<u64>) -> Result<Self, Reason> {
        match (self, claimed) {
            (Self::Open, Some(number)) => Ok(Self::Is(number)),
            (Self::Empty, Some(_)) => Err(Reason::Ambiguous),
            _ => Ok(self),
        }
    }

    fn number(self) -> u64 {
        if let Self::Is(number) = self { number } else { EMPTY }
    }

    fn is_known(self) -> bool {
        matches!(self, Self::Is(_))
    }
}

/// What a resource says of its target.
#[derive(Default)]
pub(super) struct Resource<'a> {
    namespace: Option<&'a [u8]>,
    name: Option<&'a [u8]>,
    instance: Option<&'a [u8]>,
    /// Attributes named as the labels are.
    claims_job: bool,
    claims_instance: bool,
}

impl<'a> Resource<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, Reason> {
        let mut read = Self::default();
        messages(message, &[RESOURCE_ATTRIBUTES], |attribute| {
            let (key, value) = key_value(attribute)?;
            match key {
                b"service.namespace" => once(&mut read.namespace, text(value)?)?,
                b"service.name" => once(&mut read.name, text(value)?)?,
                b"service.instance.id" => once(&mut read.instance, text(value)?)?,
                b"job" => read.claims_job = true,
                b"instance" => read.claims_instance = true,
                _ => {}
            }
            Ok(())
        })?;
        Ok(read)
    }

    /// The labels that it gives to all its series. `joined` is room for a namespace with a name.
    pub(super) fn labels(&self, hasher: &LabelHasher, joined: &mut Vec<u8>) -> Result<Labels, Reason> {
        let job = match (self.namespace, self.name) {
            (_, None) => Label::Open,
            (None, Some([])) => Label::Empty,
            (Some(_), Some([])) => return Err(Reason::Ambiguous),
            (None, Some(name)) => Label::Is(hasher.string(trimmed(name))),
            (Some(namespace), Some(name)) => {
                joined.clear();
                [namespace, b"/", name].iter().for_each(|part| joined.extend_from_slice(part));
                Label::Is(hasher.string(trimmed(joined)))
            }
        };
        let instance = match self.instance {
            None => Label::Open,
            Some([]) => Label::Empty,
            Some(instance) => Label::Is(hasher.string(instance)),
        };
        if self.claims_job && !job.is_known() || self.claims_instance && !instance.is_known() {
            return Err(Reason::Ambiguous);
        }
        Ok(Labels { job, instance })
    }
}

/// A `job` without the slashes that stand before it.
fn trimmed(job: &[u8]) -> &[u8] {
    let start = job.iter().position(|byte| *byte != b'/').unwrap_or(job.len());
    job.get(start..).unwrap_or_default()
}
