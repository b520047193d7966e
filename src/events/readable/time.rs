// SPDX-License-Identifier: Apache-2.0
//! Times: nanoseconds since 1970, for people RFC 3339 in UTC.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SECOND_NS: i128 = 1_000_000_000;
const DAY_S: i128 = 86_400;
/// From 1 March of the year 0, so that the leap day ends a year, to 1970.
const EPOCH_DAYS: i128 = 719_468;

/// RFC 3339, in UTC, with nanoseconds where there are any.
#[must_use]
pub fn rfc3339(ns: i128) -> String {
    let (seconds, rest) = (ns.div_euclid(SECOND_NS), ns.rem_euclid(SECOND_NS));
    let (days, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    let days = days + EPOCH_DAYS;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (
        day - (153 * month + 2) / 5 + 1,
        if month < 10 { month + 3 } else { month - 9 },
    );
    let year = era * 400 + year + i128::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = if rest == 0 {
        String::new()
    } else {
        format!(".{rest:09}")
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The time that [`rfc3339`] writes like this, and no other spelling of it.
fn parse(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i128>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let second = part(11, 13)? * 3600 + part(14, 16)? * 60 + part(17, 19)?;
    let rest = part(20, 29).unwrap_or(0);
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - EPOCH_DAYS;
    let ns = (days * DAY_S + second) * SECOND_NS + rest;
    let is_its_own = rfc3339(ns) == text;
    is_its_own.then(|| i64::try_from(ns).ok()).flatten()
}

pub(crate) fn serialize<S: Serializer>(ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    match serializer.is_human_readable() {
        true => serializer.serialize_str(&rfc3339((*ns).into())),
        false => serializer.serialize_i64(*ns),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    if !deserializer.is_human_readable() {
        return i64::deserialize(deserializer);
    }
    let text = String::deserialize(deserializer)?;
    let expected = || Error::invalid_value(Unexpected::Str(&text), &"a time of RFC 3339 in UTC");
    parse(&text).ok_or_else(expected)
}

/// A length of time, in seconds.
#[cfg(feature = "engine")]
pub(crate) fn seconds<S: Serializer>(
    length: &std::time::Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(length.as_secs_f64())
}

/// The first and the last of many times.
#[cfg(feature = "engine")]
pub(crate) fn range<S: Serializer>(
    times: &Option<std::ops::RangeInclusive<i64>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Times {
        first: String,
        last: String,
    }

    let times = times.as_ref().map(|times| Times {
        first: rfc3339((*times.start()).into()),
        last: rfc3339((*times.end()).into()),
    });
    times.serialize(serializer)
}

/// A time that may not be known, which is 0.
pub(crate) mod known {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Time(#[serde(with = "super")] i64);

    pub(crate) fn serialize<S: Serializer>(ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return ns.serialize(serializer);
        }
        (*ns != 0).then_some(Time(*ns)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer);
        }
        let time = Option::<Time>::deserialize(deserializer)?;
        Ok(time.map_or(0, |time| time.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, rfc3339};

    #[test]
    fn times_are_rfc_3339() {
        let seconds = |s: i128| rfc3339(s * 1_000_000_000);
        assert_eq!(seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(seconds(-1), "1969-12-31T23:59:59Z");
        assert_eq!(seconds(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(seconds(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(seconds(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(
            rfc3339(1_767_225_600_000_000_001),
            "2026-01-01T00:00:00.000000001Z"
        );
    }

    #[test]
    fn a_time_reads_back_and_other_spellings_do_not() {
        let far = [
            i64::MIN,
            i64::MIN + 1,
            i64::MAX,
            -1,
            0,
            1,
            951_782_399_999_999_999,
        ];
        let days = (-100_000..100_000)
            .step_by(97)
            .map(|day| day * 86_400_000_000_000 + 5);
        for ns in days.chain(far) {
            assert_eq!(parse(&rfc3339(ns.into())), Some(ns));
        }
        for bad in [
            "",
            "2026",
            "2026-02-29T00:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00.1Z",
            "2026-01-01T00:00:00.000000000Z",
            "2026-01-01T00:00:00+00:00",
            "9999-01-01T00:00:00Z",
            "日本日本日本日本日本日本",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
