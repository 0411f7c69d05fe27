//! A mirror's own credentials: `auth: {username, password | password_file}` or `{bearer | bearer_file}`.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::read::{Field, Object};

/// A credential file may not be larger.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The value of `Authorization`, marked sensitive: it never prints.
pub(crate) fn read(field: &Field<'_>) -> Option<HeaderValue> {
    let mut object = field.object()?;
    let username = object.take("username");
    let password = secret(&mut object, "password", "password_file");
    let bearer = secret(&mut object, "bearer", "bearer_file");
    let value = match (username, password, bearer) {
        (Some(username), Some(password), None) => basic(&username, password),
        (None, None, Some(bearer)) => bearer.map(|token| format!("Bearer {token}")),
        _ => field.refuse_key(
            "is not complete",
            "",
            "write `username` with `password` or `password_file`, or `bearer` or `bearer_file` alone",
        ),
    };
    object.finish(&[]);
    let mut header = HeaderValue::from_str(&value?).ok().or_else(|| {
        field.refuse_key(
            "holds a character that a header cannot carry",
            "",
            "remove line breaks and control characters from the secret",
        )
    })?;
    header.set_sensitive(true);
    Some(header)
}

fn basic(username: &Field<'_>, password: Option<String>) -> Option<String> {
    let name = username.text()?;
    if name.contains(':') {
        return username
            .refuse("a user name cannot contain a colon", "HTTP basic authentication ends it there");
    }
    Some(format!("Basic {}", STANDARD.encode(format!("{name}:{}", password?))))
}

/// A secret given in place or as a file. `Some(None)`: given, but unusable and reported.
#[allow(clippy::option_option, reason = "absent, unusable and present are three cases")]
fn secret(object: &mut Object<'_>, inline: &'static str, file: &'static str) -> Option<Option<String>> {
    match (object.take(inline), object.take(file)) {
        (None, None) => None,
        (Some(inline), None) => Some(inline.name().map(str::to_owned)),
        (None, Some(file)) => Some(from_file(&file)),
        (Some(_), Some(other)) => Some(other.refuse_key(
            format!("`{inline}` and `{file}` exclude each other"),
            "",
            "keep one of the two",
        )),
    }
}

/// What a file holds, without the line end at its end.
pub(crate) fn from_file(field: &Field<'_>) -> Option<String> {
    match secret_of_file(Path::new(field.name()?)) {
        Ok(secret) => Some(secret),
        Err((message, help)) => field.refuse(message, help),
    }
}

/// The secret that a file holds, without the line's end; else what is wrong with it, and a remedy.
pub(crate) fn secret_of_file(path: &Path) -> Result<String, (String, &'static str)> {
    let size = std::fs::metadata(path).map(|data| data.len()).unwrap_or(0);
    if size > FILE_BYTES_MAX {
        let message = "the file is larger than 64 KiB".to_owned();
        return Err((message, "name a file that holds the secret and nothing else"));
    }
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim_end().is_empty() => {
            Err(("the file is empty".to_owned(), "write the secret into it"))
        }
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err((
            format!("cannot read the file: {error}"),
            "the path is relative to the directory that the proxy is started in",
        )),
    }
}
