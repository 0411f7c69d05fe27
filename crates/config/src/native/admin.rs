//! The admin listener of the native form: `admin`, `admin_writes`, `admin_token_file`, `admin_tls`.

use std::path::Path;

use http::HeaderValue;

use super::{ADMIN, bind, is_off, tls};
use crate::auth;
use crate::model::{Admin, AdminAccess, AdminToken, ListenerTls};
use crate::read::{Field, Object};

#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is `off`"
)]
pub(super) fn decode(object: &mut Object<'_>) -> Option<Option<Admin>> {
    let is_null = object.is_null("admin");
    let address = object.take("admin");
    let access = access(object);
    let address = match address {
        _ if is_null => return Some(None),
        None => ADMIN.parse().ok(),
        Some(field) if is_off(&field) => return Some(None),
        Some(field) => bind(&field),
    };
    Some(Some(Admin { address: address?, access: access? }))
}

fn access(object: &mut Object<'_>) -> Option<AdminAccess> {
    let writes = object.take("admin_writes").map_or(Some(false), |field| field.boolean());
    let token = object.take("admin_token_file").map(|field| token_of(&field));
    let tls = object.take("admin_tls").map(|field| tls::server(&field));
    let token = match token {
        Some(token) => Some(token?),
        None => None,
    };
    let tls = match tls {
        Some(tls) => Some(over_http1(tls?)),
        None => None,
    };
    Some(AdminAccess { envoy: false, writes: writes?, token, tls })
}

/// The admin listener speaks nothing else.
fn over_http1(mut tls: ListenerTls) -> ListenerTls {
    for chain in &mut tls.chains {
        chain.context.alpn = vec!["http/1.1".to_owned()];
    }
    tls
}

fn token_of(field: &Field<'_>) -> Option<AdminToken> {
    match token(field.name()?) {
        Ok(token) => Some(token),
        Err((message, help)) => field.refuse(message, help),
    }
}

/// Reads the token of a file; else what is wrong with it, and a remedy.
pub(crate) fn token(path: &str) -> Result<AdminToken, (String, &'static str)> {
    let secret = auth::secret_of_file(Path::new(path))?;
    let refused = || {
        let message = "holds a character that a header cannot carry".to_owned();
        (message, "write a token of letters and digits into the file, on one line")
    };
    let mut header = HeaderValue::from_str(&format!("Bearer {secret}")).map_err(|_| refused())?;
    header.set_sensitive(true);
    Ok(AdminToken { file: path.to_owned(), header })
}
