//! Which message a body holds: what the sender's headers say, read as receivers read them.
//!
//! The body itself cannot be asked: the fields of 1.0 and 2.0 have different numbers, so a body read by the wrong
//! version looks like an empty request. Prometheus and Mimir decide by the `proto` parameter of `Content-Type`,
//! compare it byte by byte, and take 1.0 without one. Where they differ (a blank before the parameter, other media
//! types, an unknown message) the answer here is none, and the caller must expect anything of the body.
//!
//! An OTLP push has one message, and compressions and encodings of it to choose from.
//!
//! Sources: the [remote write 2.0 specification]; `storage/remote/write_handler.go` of Prometheus and
//! `pkg/distributor/push.go` and `otel.go` of Mimir for what receivers do.
//!
//! [remote write 2.0 specification]: https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/

/// A version of remote write, by the message in its bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`: each series spells its labels out.
    V1,
    /// `io.prometheus.write.v2.Request`: labels are references to a table of strings.
    V2,
}

impl Version {
    /// The version that every receiver reads a body of this `Content-Type` as, or none if they differ or refuse it.
    /// The empty string stands for a request without the header.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        let content_type = content_type.trim();
        if content_type.is_empty() {
            return Some(Self::V1);
        }
        let mut parts = content_type.split(';');
        if parts.next() != Some("application/x-protobuf") {
            return None;
        }
        for parameter in parts {
            let (key, value) = parameter.split_once('=')?;
            if key == "proto" {
                return Self::named(value);
            }
            if value.contains('=') || key.trim().eq_ignore_ascii_case("proto") {
                return None;
            }
        }
        Some(Self::V1)
    }

    fn named(message: &str) -> Option<Self> {
        match message {
            "prometheus.WriteRequest" => Some(Self::V1),
            "io.prometheus.write.v2.Request" => Some(Self::V2),
            _ => None,
        }
    }
}

/// Whether a body of this `Content-Encoding` is one snappy block. Receivers take a missing header as snappy.
#[must_use]
pub fn is_snappy(content_encoding: Option<&str>) -> bool {
    content_encoding.is_none_or(|encoding| encoding.is_empty() || encoding.eq_ignore_ascii_case("snappy"))
}

/// Whether a body of this `Content-Type` is an OTLP message in protobuf. Receivers compare the media type alone or
/// refuse what stands behind it; none reads JSON then.
#[must_use]
pub fn is_otlp_protobuf(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/x-protobuf")
}

/// How an OTLP body is compressed, as far as it is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpCompression {
    /// Not at all.
    None,
    /// The default of the OpenTelemetry collector.
    Gzip,
}

impl OtlpCompression {
    /// The compression of a body of this `Content-Encoding`, if it is one of these. Mimir takes lz4 besides.
    #[must_use]
    pub fn of(content_encoding: Option<&str>) -> Option<Self> {
        match content_encoding.unwrap_or_default().trim() {
            "" => Some(Self::None),
            encoding if encoding.eq_ignore_ascii_case("identity") => Some(Self::None),
            encoding if encoding.eq_ignore_ascii_case("gzip") => Some(Self::Gzip),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_proto_parameter() {
        let both = [
            ("", Some(Version::V1)),
            ("application/x-protobuf", Some(Version::V1)),
            ("application/x-protobuf; charset=utf-8", Some(Version::V1)),
            ("application/x-protobuf;proto=prometheus.WriteRequest", Some(Version::V1)),
            ("application/x-protobuf;proto=io.prometheus.write.v2.Request", Some(Version::V2)),
            (" application/x-protobuf;a=b;proto=io.prometheus.write.v2.Request ", Some(Version::V2)),
        ];
        for (content_type, version) in both {
            assert_eq!(Version::of(content_type), version, "{content_type:?}");
        }
    }

    #[test]
    fn what_receivers_read_differently_has_no_version() {
        for content_type in [
            "text/plain",
            "application/json",
            "Application/X-Protobuf",
            "application/x-protobuf ;proto=io.prometheus.write.v2.Request",
            "application/x-protobuf; proto=io.prometheus.write.v2.Request",
            "application/x-protobuf;Proto=io.prometheus.write.v2.Request",
            "application/x-protobuf;proto=\"io.prometheus.write.v2.Request\"",
            "application/x-protobuf;proto=io.prometheus.write.v3.Request",
            "application/x-protobuf;proto=",
            "application/x-protobuf;proto",
            "application/x-protobuf;",
            "application/x-protobuf;a=b=c",
        ] {
            assert_eq!(Version::of(content_type), None, "{content_type:?}");
        }
    }

    #[test]
    fn the_encoding_is_snappy_unless_another_is_named() {
        for encoding in [None, Some(""), Some("snappy"), Some("Snappy")] {
            assert!(is_snappy(encoding), "{encoding:?}");
        }
        for encoding in ["gzip", "zstd", "identity", "snappy, gzip", "x-snappy-framed"] {
            assert!(!is_snappy(Some(encoding)), "{encoding}");
        }
    }

    #[test]
    fn otlp_is_read_as_protobuf_plain_or_in_gzip() {
        for content_type in
            ["application/x-protobuf", "application/x-protobuf; charset=utf-8", " Application/X-Protobuf ;"]
        {
            assert!(is_otlp_protobuf(content_type), "{content_type:?}");
        }
        for content_type in ["", "application/json", "application/protobuf", "text/x-protobuf", ";"] {
            assert!(!is_otlp_protobuf(content_type), "{content_type:?}");
        }
        for encoding in [None, Some(""), Some("identity")] {
            assert_eq!(OtlpCompression::of(encoding), Some(OtlpCompression::None), "{encoding:?}");
        }
        for encoding in ["gzip", "GZIP", " gzip"] {
            assert_eq!(OtlpCompression::of(Some(encoding)), Some(OtlpCompression::Gzip), "{encoding:?}");
        }
        for encoding in ["lz4", "zstd", "snappy", "deflate", "x-gzip", "gzip, gzip"] {
            assert_eq!(OtlpCompression::of(Some(encoding)), None, "{encoding:?}");
        }
    }
}
