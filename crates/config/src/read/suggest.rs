//! "Did you mean ...": the nearest known name.

/// The remedy for an unknown key. `supported` are the fields that would work here, `known` also those that
/// Envoy knows.
pub(super) fn remedy(written: &str, supported: &[&str], known: &[&str]) -> String {
    if written == "<<" {
        return "merge keys are not part of Envoy's YAML; write the fields out".to_owned();
    }
    match nearest(written, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None if supported.len() <= 24 && !supported.is_empty() => {
            let mut names: Vec<String> = supported.iter().map(|name| format!("`{name}`")).collect();
            names.sort();
            names.dedup();
            format!("remove it; known here: {}", names.join(", "))
        }
        None => "remove it".to_owned(),
    }
}

/// The known name that needs the fewest edits, if they are few for its length.
pub(crate) fn nearest<'n>(written: &str, known: &[&'n str]) -> Option<&'n str> {
    let written = normal(written);
    let length = written.chars().count();
    if length > 64 {
        return None;
    }
    let candidate = known.iter().map(|name| (distance(&written, &normal(name)), *name)).min()?;
    (candidate.0 <= (length / 3).clamp(1, 4)).then_some(candidate.1)
}

fn normal(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, cb) in row.iter().skip(1).zip(b.chars()) {
            left = (diagonal + usize::from(ca != cb)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("clusters", "cluster"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn nearest_ignores_case_and_underscores_and_refuses_far_names() {
        assert_eq!(nearest("maxAge", &["max_age", "max_copies"]), Some("max_age"));
        assert_eq!(nearest("cluter", &["cluster", "cluster_header"]), Some("cluster"));
        assert_eq!(nearest("zzz", &["cluster"]), None);
    }
}
