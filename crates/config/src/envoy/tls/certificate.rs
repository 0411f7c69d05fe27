//! `tls_certificates` and the data sources in which certificates and keys stand.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::{Certificate, DataSource};
use crate::read::{Field, Object};

use crate::envoy::unsupported;

pub(super) fn decode(field: &Field<'_>) -> Option<Certificate> {
    let mut object = field.object()?;
    let chain = object
        .require("certificate_chain", "name the certificate: `certificate_chain: { filename: tls.crt }`")
        .and_then(|field| source(&field));
    let key = object
        .require("private_key", "name its key: `private_key: { filename: tls.key }`")
        .and_then(|field| source(&field));
    watched_directory(&mut object);
    object.finish(unsupported::TLS_CERTIFICATE);
    Some(Certificate { chain: chain?, key: key? })
}

/// Files are watched by themselves, links to them included.
pub(super) fn watched_directory(object: &mut Object<'_>) {
    if let Some(mut directory) = object.take("watched_directory").and_then(|field| field.object()) {
        directory.take("path").and_then(|field| field.text());
        directory.finish(&[]);
    }
}

/// A data source; what it names must be there.
pub(super) fn source(field: &Field<'_>) -> Option<DataSource> {
    let mut object = field.object()?;
    let given = [
        object.take("filename").and_then(|field| file(&field)),
        object.take("inline_string").and_then(|field| inline(&field, false)),
        object.take("inline_bytes").and_then(|field| inline(&field, true)),
        object.take("environment_variable").and_then(|field| environment(&field)),
    ];
    watched_directory(&mut object);
    object.finish(&[]);
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(source), None) => Some(source),
        (Some(_), Some(_)) => field.refuse_key("is given twice", "", "keep one of the two"),
        (None, _) if field.sink.failed() => None,
        (None, _) => field.refuse_key("is empty", "", "name a file: `{ filename: /etc/tls/tls.crt }`"),
    }
}

/// A file that can be read, in Envoy's words if not.
pub(crate) fn file(field: &Field<'_>) -> Option<DataSource> {
    let path = field.name()?;
    match std::fs::File::open(path).and_then(|file| file.metadata()) {
        Ok(data) if data.is_dir() => field.refuse("is a directory", "name the file in it"),
        Ok(_) => Some(DataSource::File(PathBuf::from(path))),
        Err(error) => field.refuse(
            format!("Invalid path: {path}: {error}"),
            "the path is relative to the directory that the proxy is started in",
        ),
    }
}

fn inline(field: &Field<'_>, encoded: bool) -> Option<DataSource> {
    let text = field.name()?;
    let bytes = if encoded {
        let compact: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(compact).ok().or_else(|| field.refuse("is not base64", "encode it with `base64`"))?
    } else {
        text.as_bytes().to_vec()
    };
    Some(DataSource::Inline(Arc::from(bytes)))
}

fn environment(field: &Field<'_>) -> Option<DataSource> {
    let name = field.name()?;
    match std::env::var_os(name) {
        Some(_) => Some(DataSource::Environment(name.to_owned())),
        None => field.refuse("this environment variable is not set", "set it where the proxy is started"),
    }
}
