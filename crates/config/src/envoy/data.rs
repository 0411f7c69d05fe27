//! DataSource: bytes in the file itself, in another one, or in the environment.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::read::Field;

/// A file may not be larger.
const FILE_MAX: u64 = 1 << 20;

/// Reads the bytes, once.
pub(super) fn source(field: &Field<'_>) -> Option<Vec<u8>> {
    let mut object = field.object()?;
    let string = object.take("inline_string");
    let bytes = object.take("inline_bytes");
    let file = object.take("filename");
    let variable = object.take("environment_variable");
    object.finish(super::unsupported::DATA_SOURCE);
    match (string, bytes, file, variable) {
        (Some(string), None, None, None) => string.text().map(|text| text.as_bytes().to_vec()),
        (None, Some(bytes), None, None) => {
            let text = bytes.text()?;
            let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
            decoded.ok().or_else(|| bytes.refuse("is not base64", "write it as `inline_string`"))
        }
        (None, None, Some(file), None) => read(&file),
        (None, None, None, Some(variable)) => match std::env::var(variable.name()?) {
            Ok(value) => Some(value.into_bytes()),
            Err(_) => variable.refuse("the environment has no such variable", "set it, or write the text"),
        },
        _ => field.refuse_key(
            "must have one of `inline_string`, `inline_bytes`, `filename` and `environment_variable`",
            "",
            "write `inline_string: \"ok\"`",
        ),
    }
}

fn read(field: &Field<'_>) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(field.name()?).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > FILE_MAX => field.refuse("is larger than 1 MiB", "name a smaller file"),
        Ok(_) => Some(bytes),
        Err(error) => field.refuse(format!("Invalid path: {error}"), "name a file that can be read"),
    }
}
