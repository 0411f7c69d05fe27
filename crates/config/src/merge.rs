//! `--config-yaml` over `--config-path`, as protobuf merges messages: maps field by field, lists appended,
//! anything else replaced.

use crate::tree::{Entry, Node, Value};

/// Fields that hold a whole message of their own type: replaced, never merged.
const REPLACED: [&str; 2] = ["typed_config", "typedConfig"];

/// `base` with `later` laid over it.
pub(crate) fn over(base: Node, later: Node) -> Node {
    let value = match (base.value, later.value) {
        (Value::Map(entries), Value::Map(changes)) => Value::Map(merge(entries, changes)),
        (Value::List(mut items), Value::List(more)) => {
            items.extend(more);
            Value::List(items)
        }
        // One map may stand where a list is meant.
        (Value::List(mut items), more @ Value::Map(_)) => {
            items.push(Node { span: later.span, value: more });
            Value::List(items)
        }
        (first @ Value::Map(_), Value::List(mut more)) => {
            more.insert(0, Node { span: base.span, value: first });
            Value::List(more)
        }
        // Null is an absent field in proto-JSON: nothing to lay over.
        (kept, Value::Null) => return Node { span: base.span, value: kept },
        (_, value) => value,
    };
    Node { span: later.span, value }
}

fn merge(mut entries: Vec<Entry>, changes: Vec<Entry>) -> Vec<Entry> {
    for change in changes {
        let same = |entry: &&mut Entry| snake(&entry.key) == snake(&change.key);
        match entries.iter_mut().find(same) {
            Some(entry) if REPLACED.contains(&&*change.key) => *entry = change,
            Some(entry) => {
                let base = std::mem::replace(&mut entry.node, change.node.clone());
                entry.node = over(base, change.node);
                entry.key_span = change.key_span;
            }
            None => entries.push(change),
        }
    }
    entries
}

/// Both spellings of a field are one field.
fn snake(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}
