//! The admin listener in either form. Envoy's has an address and nothing that keeps anybody out.

use serde_json::{Map, Value, json};

use super::{Notes, tls_native};
use crate::model::Admin;
use crate::native::ADMIN;

/// The keys of the native form.
pub(super) fn fields(admin: Option<&Admin>, notes: &mut Notes) -> Option<Map<String, Value>> {
    let mut map = Map::new();
    let Some(admin) = admin else {
        map.insert("admin".to_owned(), json!("off"));
        return Some(map);
    };
    let address = admin.address.to_string();
    if address != ADMIN {
        map.insert("admin".to_owned(), json!(address));
    }
    let access = &admin.access;
    let opened = access.envoy && !access.writes && !admin.address.ip().is_loopback();
    if opened {
        notes.differs("whoever reaches the admin may also pause and skip mirrors (`admin_writes`)");
    }
    // What Envoy lets everybody do, everybody can still do.
    if access.writes || opened {
        map.insert("admin_writes".to_owned(), json!(true));
    }
    if let Some(token) = &access.token {
        map.insert("admin_token_file".to_owned(), json!(token.file));
    }
    if let Some(tls) = &access.tls {
        let mut tls = tls.clone();
        for chain in &mut tls.chains {
            chain.context.alpn = vec!["h2".to_owned(), "http/1.1".to_owned()];
        }
        map.insert("admin_tls".to_owned(), tls_native::server(&tls, notes)?);
    }
    Some(map)
}

/// What an Envoy file cannot say.
pub(super) fn differences(admin: &Admin, notes: &mut Notes) {
    let access = &admin.access;
    if !access.envoy && !admin.address.ip().is_loopback() {
        notes.differs("whoever reaches the admin may change and stop things, as with Envoy");
    }
    if access.writes {
        notes.differs("`admin_writes` has no place in the file; --admin-writes says the same");
    }
    if let Some(token) = &access.token {
        let file = &token.file;
        notes.differs(format!(
            "`admin_token_file` has no place in the file; --admin-token-file {file} says it"
        ));
    }
    if access.tls.is_some() {
        notes.differs("`admin_tls` has no place in the file: the admin would speak plain HTTP");
    }
}
