//! What order costs where series are read. The proxy's load does not show it: both clusters are equally fast there.

use anyhow::{Context as _, Result, ensure};

use crate::shell;

/// CPU microseconds that one copy costs the order thread.
#[derive(Debug, PartialEq)]
pub(super) struct Cost {
    /// The copies that wait meanwhile.
    pub(super) waiting: String,
    pub(super) reading: f64,
    pub(super) keeping: f64,
    pub(super) together: f64,
}

/// Runs `benches/order.rs`.
pub(super) fn measure() -> Result<Vec<Cost>> {
    let arguments = ["bench", "--quiet", "--package", "mimir-mirror", "--bench", "order"];
    let printed = shell::output(&mut shell::cargo(&arguments))?;
    let costs: Vec<Cost> = printed.lines().map(cost).collect::<Option<_>>().context("no figures of order")?;
    ensure!(!costs.is_empty(), "no figures of order");
    Ok(costs)
}

/// One line: what waits, then three figures, parted by tabs.
fn cost(line: &str) -> Option<Cost> {
    let mut words = line.split('\t');
    let waiting = words.next()?.to_owned();
    let mut figure = || words.next()?.parse().ok();
    Some(Cost { waiting, reading: figure()?, keeping: figure()?, together: figure()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_three_figures() {
        let expected =
            Cost { waiting: "no other copy".to_owned(), reading: 1.5, keeping: 2.0, together: 3.5 };
        assert_eq!(cost("no other copy\t1.5\t2.0\t3.5"), Some(expected));
        for line in ["", "no other copy", "a\t1\t2", "a\t1\t2\tx"] {
            assert_eq!(cost(line), None, "{line:?}");
        }
    }
}
