//! The top of the file: `node`, `admin`, `static_resources`.

use crate::model::{Admin, AdminAccess, Node};
use crate::parts::Parts;
use crate::read::Field;
use crate::secrets;
use crate::tree::Value;

use super::shares::Shares;
use super::upstreams::Upstreams;
use super::{address, cluster, listener, process, sockets, unsupported};

/// Decodes a bootstrap; `None` if anything was refused.
pub(crate) fn decode<'a>(root: &Field<'a>) -> Option<Parts<'a>> {
    let mut object = root.object()?;
    let node = object.take("node").map(|field| node(&field)).unwrap_or_default();
    let admin = object.take("admin").and_then(|field| admin(&field));
    let source = object.take("cluster_manager").and_then(|field| sockets::of_cluster_manager(&field));
    let mut shares = Shares::default();
    let process = process::decode(&mut object, &mut shares);
    let resources =
        object.require("static_resources", "write `static_resources:` with `listeners` and `clusters`");
    object.finish(unsupported::BOOTSTRAP);
    let mut resources = resources?.object()?;
    let clusters = resources.take("clusters").map(|field| field.list()).unwrap_or_default();
    let listeners = resources.require("listeners", "write a listener: clients must connect somewhere");
    resources.finish(unsupported::STATIC_RESOURCES);
    // Clusters first, wherever they stand in the file: routes refer to them.
    let mut upstreams = Upstreams::with(shares, source);
    for field in &clusters {
        cluster::decode(field, &mut upstreams);
    }
    upstreams.decode_policies();
    let listeners = listener::decode_all(&listeners?.list(), &mut upstreams);
    let (clusters, mirrors) = upstreams.finish()?;
    Some(Parts { node, admin, process, listeners: listeners?, clusters, mirrors })
}

fn node(field: &Field<'_>) -> Node {
    let Some(mut object) = field.object() else { return Node::default() };
    let mut text =
        |name| object.take(name).and_then(|field| field.text().map(str::to_owned)).unwrap_or_default();
    let mut node = Node { id: text("id"), cluster: text("cluster"), ..Node::default() };
    if let Some(mut locality) = object.take("locality").and_then(|field| field.object()) {
        let mut text =
            |name| locality.take(name).and_then(|field| field.text().map(str::to_owned)).unwrap_or_default();
        (node.region, node.zone, node.sub_zone) = (text("region"), text("zone"), text("sub_zone"));
        locality.finish(&[]);
    }
    // Free-form, for whoever reads it.
    node.metadata = object.take("metadata").map(|field| secrets::document(field.node));
    object.finish(unsupported::NODE);
    node
}

fn admin(field: &Field<'_>) -> Option<Admin> {
    let mut object = field.object()?;
    let address = object.take("address").and_then(|field| address::bind(&field));
    if let Some(path) = object.take("access_log_path")
        && path.text().is_some_and(|text| text != "/dev/null")
    {
        no_access_log(&path);
    }
    if let Some(logs) = object.take("access_log")
        && logs.list().iter().any(|log| !goes_to_dev_null(log))
    {
        no_access_log(&logs);
    }
    // Connections of the admin listener have a bound of their own, and are never counted with the clients'.
    object.take("ignore_global_conn_limit").and_then(|field| field.boolean());
    if let Some(path) = object.take("profile_path")
        && path.text().is_some()
    {
        path.warn("there is no profiler, so nothing is written there", "remove it");
    }
    object.finish(unsupported::ADMIN);
    let access = AdminAccess { envoy: true, ..AdminAccess::default() };
    address.map(|address| Admin { address, access })
}

fn no_access_log(field: &Field<'_>) {
    field.warn("this version writes no access log for the admin interface", "remove it, or name `/dev/null`");
}

/// Whether an access logger is a file logger to `/dev/null`, the usual way to say "none".
fn goes_to_dev_null(log: &Field<'_>) -> bool {
    let child = |node: &crate::tree::Node, names: [&str; 2]| match &node.value {
        Value::Map(entries) => {
            entries.iter().find(|entry| names.contains(&&*entry.key)).map(|entry| entry.node.clone())
        }
        _ => None,
    };
    let config =
        child(log.node, ["typed_config", "typedConfig"]).or_else(|| child(log.node, ["config", "config"]));
    let path = config.and_then(|config| child(&config, ["path", "path"]));
    matches!(path.map(|path| path.value), Some(Value::Text(path)) if &*path == "/dev/null")
}
