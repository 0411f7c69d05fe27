//! `request_headers_mutations`: changes to a copy's headers, literal values only.

use crate::headers;
use crate::model::HeaderMutation;
use crate::read::Field;

use super::unsupported;

/// How an appended header meets values that are there already.
#[derive(Clone, Copy)]
enum Action {
    Append,
    AddIfAbsent,
    Overwrite,
    OverwriteIfPresent,
}

const ACTIONS: [(&str, u32, Action); 4] = [
    ("APPEND_IF_EXISTS_OR_ADD", 0, Action::Append),
    ("ADD_IF_ABSENT", 1, Action::AddIfAbsent),
    ("OVERWRITE_IF_EXISTS_OR_ADD", 2, Action::Overwrite),
    ("OVERWRITE_IF_EXISTS", 3, Action::OverwriteIfPresent),
];

/// All mutations, in order; `None` if any was refused.
pub(super) fn decode(field: &Field<'_>) -> Option<Vec<HeaderMutation>> {
    let decoded: Vec<Option<HeaderMutation>> = field.list().iter().map(mutation).collect();
    decoded.into_iter().collect()
}

fn mutation(field: &Field<'_>) -> Option<HeaderMutation> {
    let mut object = field.object()?;
    let remove = object.take("remove");
    let append = object.take("append");
    object.finish(unsupported::HEADER_MUTATION);
    match (remove, append) {
        (Some(remove), None) => headers::name_of(&remove).map(HeaderMutation::Remove),
        (None, Some(append)) => append_option(&append),
        (Some(remove), Some(_)) => {
            remove.refuse_key("`remove` and `append` exclude each other", "", "write two entries")
        }
        (None, None) => field.refuse_key("changes nothing", "", "write `append` or `remove`"),
    }
}

fn append_option(field: &Field<'_>) -> Option<HeaderMutation> {
    let mut object = field.object()?;
    let header = object.require("header", "write `header: { key: x-mirror, value: \"1\" }`");
    let action = object.take("append_action").map_or(Some(Action::Append), |field| field.choice(&ACTIONS));
    object.finish(unsupported::HEADER_OPTION);
    let mut header = header?.object()?;
    let key = header.require("key", "write the header's name");
    let value = header.require("value", "write the header's value");
    header.finish(unsupported::HEADER_VALUE);
    let (key, value) = (key?, value?);
    let name = headers::name_of(&key);
    let text = literal(&value)?;
    let value = headers::value(&value, name.as_ref(), &text)?;
    let name = name?;
    Some(match action? {
        Action::Append => HeaderMutation::Append(name, value),
        Action::AddIfAbsent => HeaderMutation::AddIfAbsent(name, value),
        Action::Overwrite => HeaderMutation::Set(name, value),
        Action::OverwriteIfPresent => HeaderMutation::OverwriteIfPresent(name, value),
    })
}

/// A value without formatters; `%%` is a per cent sign.
fn literal(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let mut literal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('%') {
        literal.push_str(head);
        let Some(after) = tail.strip_prefix('%') else { return formatter(field, tail) };
        literal.push('%');
        rest = after;
    }
    literal.push_str(rest);
    Some(literal)
}

fn formatter<T>(field: &Field<'_>, tail: &str) -> Option<T> {
    let help = "write a literal value; a per cent sign is written `%%`";
    match tail.split_once('%') {
        Some((command, _)) => {
            let name: String =
                command.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            field.refuse(format!("the formatter `%{name}%` is not supported by this version"), help)
        }
        None => field.refuse("Couldn't find valid command: a `%` stands alone", help),
    }
}
