//! What of a file a request gets: all, a part, or the word that it has it already.
//!
//! `If-Modified-Since` is compared for equality: a file that is older than what the client has, as after a roll-back to
//! another index, is another file. Portage's client sends what it has five seconds later than that is
//! (`TIMESTAMP_TOLERANCE` in its `portage/util/_urlopen.py`), for servers that compare otherwise; from that client alone
//! the five seconds are taken off again, so that its own index is known to it and one of five seconds later is not.
//!
//! Of `Range` (RFC 9110, section 14) one range is answered; several are answered with the whole file, as that allows.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, header};

/// How a client of Portage names itself.
const PORTAGE: &str = "Gentoo Portage";
/// What it adds.
const TOLERANCE: Duration = Duration::from_secs(5);

/// What a request gets of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// Nothing: it has just this file.
    Known,
    /// All.
    Whole,
    /// These bytes; never none.
    Part(Range<u64>),
    /// Nothing: what it wants lies behind the end.
    Beyond,
}

/// What a `GET` or `HEAD` with these headers gets of a file of so many bytes that was modified then, in whole seconds.
pub fn share(headers: &HeaderMap, length: u64, modified: SystemTime) -> Share {
    let date = |name: HeaderName| httpdate::parse_http_date(text(headers, &name)?).ok();
    if date(header::IF_MODIFIED_SINCE).and_then(|date| known(headers, date)) == Some(modified) {
        return Share::Known;
    }
    let unlike = headers.contains_key(header::IF_RANGE) && date(header::IF_RANGE) != Some(modified);
    match text(headers, &header::RANGE).filter(|_| !unlike).and_then(|range| part(range, length)) {
        None => Share::Whole,
        Some(range) if range.is_empty() => Share::Beyond,
        Some(range) => Share::Part(range),
    }
}

/// When the file that the client has was modified.
fn known(headers: &HeaderMap, sent: SystemTime) -> Option<SystemTime> {
    let portage = text(headers, &header::USER_AGENT).is_some_and(|agent| agent.starts_with(PORTAGE));
    if portage { sent.checked_sub(TOLERANCE) } else { Some(sent) }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The bytes that one range stands for, none of them where they lie behind the end; nothing where the text is no range
/// of bytes, or several.
fn part(text: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    if first.is_empty() {
        return Some(length.saturating_sub(number(last)?)..length);
    }
    let first = number(first)?;
    let end = if last.is_empty() { length } else { number(last)?.checked_add(1)?.min(length) };
    // The last before the first is no range at all.
    if !last.is_empty() && number(last)? < first {
        return None;
    }
    Some(first.min(end)..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODIFIED: &str = "Tue, 24 Nov 2026 07:23:13 GMT";

    fn of(headers: &[(HeaderName, &str)]) -> Share {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        share(&headers, 1000, httpdate::parse_http_date(MODIFIED).unwrap())
    }

    #[test]
    fn a_file_is_known_by_its_very_time_and_neither_an_earlier_nor_a_later_one() {
        for (date, known) in [
            (MODIFIED, true),
            ("Tue, 24 Nov 2026 07:23:12 GMT", false),
            ("Tue, 24 Nov 2026 07:23:14 GMT", false),
            ("Wed, 24 Nov 2027 07:23:13 GMT", false),
            ("yesterday", false),
        ] {
            let share = of(&[(header::IF_MODIFIED_SINCE, date)]);
            assert_eq!(share, if known { Share::Known } else { Share::Whole }, "{date}");
        }
    }

    #[test]
    fn portage_is_known_to_add_five_seconds_to_the_time_of_its_index() {
        for (date, known) in [
            ("Tue, 24 Nov 2026 07:23:18 GMT", true),
            // It has an index from five seconds before this one.
            (MODIFIED, false),
            ("Tue, 24 Nov 2026 07:23:17 GMT", false),
        ] {
            let share = of(&[(header::IF_MODIFIED_SINCE, date), (header::USER_AGENT, PORTAGE)]);
            assert_eq!(share, if known { Share::Known } else { Share::Whole }, "{date}");
        }
    }

    #[test]
    fn a_range_is_cut_at_the_end_of_the_file_and_what_is_none_gets_the_whole() {
        for (range, share) in [
            ("bytes=0-99", Share::Part(0..100)),
            ("bytes=900-", Share::Part(900..1000)),
            ("bytes=900-5000", Share::Part(900..1000)),
            ("bytes=-10", Share::Part(990..1000)),
            ("bytes=-5000", Share::Part(0..1000)),
            ("bytes= 5-5", Share::Part(5..6)),
            ("bytes=1000-", Share::Beyond),
            ("bytes=2000-3000", Share::Beyond),
            ("bytes=-0", Share::Beyond),
            ("bytes=9-5", Share::Whole),
            ("bytes=0-1,5-6", Share::Whole),
            ("bytes=a-b", Share::Whole),
            ("bytes=+1-2", Share::Whole),
            ("bytes=-", Share::Whole),
            ("lines=1-2", Share::Whole),
            ("bytes=0-18446744073709551615", Share::Whole),
        ] {
            assert_eq!(of(&[(header::RANGE, range)]), share, "{range}");
        }
    }

    #[test]
    fn a_download_goes_on_only_in_the_file_that_it_began_with() {
        let range = (header::RANGE, "bytes=900-");
        for (date, share) in [(MODIFIED, Share::Part(900..1000)), ("Tue, 24 Nov 2026 07:23:12 GMT", Share::Whole)] {
            assert_eq!(of(&[range.clone(), (header::IF_RANGE, date)]), share, "{date}");
        }
        assert_eq!(of(&[range, (header::IF_RANGE, "\"tag\"")]), Share::Whole);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_lies_in_the_file(range in "(bytes=)?[0-9]{0,21}-?[0-9]{0,21}(,[ -~]*)?", length in 0_u64..) {
            let headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
            if let Share::Part(part) = share(&headers, length, SystemTime::UNIX_EPOCH) {
                prop_assert!(part.start < part.end && part.end <= length, "{part:?}");
            }
        }
    }
}
