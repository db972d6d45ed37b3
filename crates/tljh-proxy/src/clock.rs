//! Points in time as people and programs read them.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `2026-02-19 12:00 UTC`.
pub fn readable(time: SystemTime) -> String {
    DateTime::<Utc>::from(time)
        .format("%Y-%m-%d %H:%M UTC")
        .to_string()
}

fn to_text(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn from_text(text: &str) -> Result<SystemTime, chrono::ParseError> {
    DateTime::parse_from_rfc3339(text).map(SystemTime::from)
}

/// A point in time as RFC 3339 text, to the second.
pub mod rfc3339 {
    use std::time::SystemTime;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::to_text(*time))
    }

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// The text is no point in time.
    pub fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<SystemTime, D::Error> {
        super::from_text(&String::deserialize(reader)?).map_err(D::Error::custom)
    }
}

/// As [`rfc3339`], or null.
pub mod rfc3339_or_null {
    use std::time::SystemTime;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(super::to_text).serialize(serializer)
    }

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// The text is no point in time.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        reader: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let text = Option::<String>::deserialize(reader)?;
        let time = text.as_deref().map(super::from_text).transpose();
        time.map_err(D::Error::custom)
    }
}
