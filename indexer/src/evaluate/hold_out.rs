//! Rules for holding out events, in their text form.

use std::{fmt, str::FromStr};

/// Rule for holding out events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HoldOut {
    /// Latest share of all events.
    Latest(f64),
    /// Events of the last days.
    Days(f64),
    /// Last events of each user.
    Last(usize),
    /// Random share.
    Random(f64),
}

impl FromStr for HoldOut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let part = || match value {
            "" => Ok(0.2),
            _ => match value.parse() {
                Ok(part) if part > 0.0 && part < 1.0 => Ok(part),
                _ => Err(format!(
                    "expected a share between 0 and 1 such as 0.2, got `{value}`"
                )),
            },
        };
        match (name, value.strip_suffix('d')) {
            ("temporal", Some(days)) => match days.parse() {
                Ok(days) if days > 0.0 && days < 1e6 => Ok(Self::Days(days)),
                _ => Err(format!(
                    "expected a number of days such as 40d, got `{value}`"
                )),
            },
            ("temporal", None) => part().map(Self::Latest),
            ("random", _) => part().map(Self::Random),
            ("leave-last", _) if value.is_empty() => Ok(Self::Last(1)),
            ("leave-last", _) => match value.parse() {
                Ok(count) if count > 0 => Ok(Self::Last(count)),
                _ => Err(format!(
                    "expected a number of events of at least 1, got `{value}`"
                )),
            },
            _ => Err(format!(
                "expected temporal:SHARE, temporal:DAYSd, leave-last:N or random:SHARE, got `{name}`"
            )),
        }
    }
}

impl fmt::Display for HoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest(part) => write!(f, "temporal:{part}"),
            Self::Days(days) => write!(f, "temporal:{days}d"),
            Self::Last(count) => write!(f, "leave-last:{count}"),
            Self::Random(part) => write!(f, "random:{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_read_and_written() {
        for text in [
            "temporal:0.25",
            "temporal:40d",
            "leave-last:2",
            "random:0.1",
        ] {
            assert_eq!(text.parse::<HoldOut>().expect(text).to_string(), text);
        }
        assert_eq!("temporal".parse(), Ok(HoldOut::Latest(0.2)));
        assert_eq!("leave-last".parse(), Ok(HoldOut::Last(1)));
        for wrong in [
            "",
            "half",
            "temporal:0",
            "temporal:1",
            "temporal:-3d",
            "temporal:nan",
            "leave-last:0",
            "random:x",
        ] {
            assert!(wrong.parse::<HoldOut>().is_err(), "{wrong}");
        }
    }
}
