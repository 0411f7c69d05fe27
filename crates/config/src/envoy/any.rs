//! Extensions: v3's `typed_config` with its `@type`, v2's `config` beside a well-known name.

use crate::read::{Field, Object};

/// One extension that this version has.
pub(super) struct Extension {
    /// What it is called in messages.
    pub(super) what: &'static str,
    /// Full names of its configuration message, v3 first.
    pub(super) types: &'static [&'static str],
    /// Names that mean it in a v2 `config`.
    pub(super) names: &'static [&'static str],
    /// Whether it may stand without any configuration (v2's router).
    pub(super) bare: bool,
}

/// What an entry of `filters` or `http_filters` says.
pub(super) enum Configured<'a> {
    /// Its configuration, `@type` already read.
    Message(Object<'a>),
    /// Named only.
    Bare,
}

/// The message of a `TypedExtensionConfig` (`name`, `typed_config`): its full name, where that stands, and its fields.
pub(super) struct Typed<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Field<'a>,
    pub(super) message: Object<'a>,
}

/// Reads `name` and `typed_config` of an extension, whichever it is.
pub(super) fn typed<'a>(field: &Field<'a>) -> Option<Typed<'a>> {
    let mut object = field.object()?;
    let name = object.require("name", "name the extension: any text").and_then(|field| field.name());
    let typed = object.require("typed_config", "write its configuration with its `\"@type\"`");
    object.finish(&[]);
    let mut message = typed?.object()?;
    let kind =
        message.require("@type", "write the type of the message: `\"@type\": type.googleapis.com/...`")?;
    let text = kind.text()?;
    name.map(|_| Typed { name: text.strip_prefix(PREFIX).unwrap_or(text), kind, message })
}

const PREFIX: &str = "type.googleapis.com/";

impl Extension {
    /// Reads `name` and the configuration of an entry; `None` if it is another extension or malformed.
    pub(super) fn read<'a>(&self, object: &mut Object<'a>) -> Option<Configured<'a>> {
        // Free text in v3, where only `@type` counts, but never absent.
        let example = self.names.first().unwrap_or(&"");
        let name = object.require("name", &format!("write `name: {example}`"));
        let (typed, config) = (object.take("typed_config"), object.take("config"));
        let text = name.as_ref().map_or(Some(""), Field::name)?;
        match (typed, config) {
            (Some(_), Some(v2)) => v2.refuse_key(
                "`typed_config` and `config` exclude each other",
                "the v2 spelling",
                "keep `typed_config`",
            ),
            (Some(typed), None) => self.typed(&typed),
            (None, Some(config)) if self.names.contains(&text) => config.object().map(Configured::Message),
            (None, None) if self.bare && self.names.contains(&text) => Some(Configured::Bare),
            (None, config) => self.refuse(&name?, config.is_some(), text),
        }
    }

    fn typed<'a>(&self, field: &Field<'a>) -> Option<Configured<'a>> {
        let mut object = field.object()?;
        let kind =
            object.require("@type", "write the type of the message: `\"@type\": type.googleapis.com/...`")?;
        let text = kind.text()?;
        let name = text.strip_prefix(PREFIX).unwrap_or(text);
        if self.types.contains(&name) {
            return Some(Configured::Message(object));
        }
        let short = name.rsplit('.').next().unwrap_or(name);
        kind.refuse(
            format!("`{short}` is not supported by this version"),
            format!("only {} can stand here: `{PREFIX}{}`", self.what, self.types.first().unwrap_or(&"")),
        )
    }

    fn refuse<T>(&self, name: &Field<'_>, config: bool, text: &str) -> Option<T> {
        let expected = self.names.first().unwrap_or(&"");
        if self.names.contains(&text) && !config {
            return name.refuse(
                format!("`{text}` has no configuration"),
                format!(
                    "write its `typed_config` with `\"@type\": {PREFIX}{}`",
                    self.types.first().unwrap_or(&"")
                ),
            );
        }
        name.refuse(
            format!("`{text}` is not supported by this version"),
            format!("remove it; only {} can stand here (`{expected}`)", self.what),
        )
    }
}

/// Reads the `@type` of a message that can only be this one.
pub(super) fn expect(object: &mut Object<'_>, name: &str) -> Option<()> {
    let kind = object.require("@type", &format!("write `\"@type\": {PREFIX}{name}`"))?;
    let text = kind.text()?;
    if text.strip_prefix(PREFIX).unwrap_or(text) == name {
        return Some(());
    }
    kind.refuse(format!("`{text}` cannot stand here"), format!("write `\"@type\": {PREFIX}{name}`"))
}
