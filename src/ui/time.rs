//! Moments as people read them: in local time, in `TZ` or in what `/etc/localtime` says.

use jiff::tz::TimeZone;

use crate::core::moments::in_zone;

/// The text with each moment in it as the clocks here show it.
pub fn local(text: &str) -> String {
    in_zone(text, &TimeZone::system())
}
