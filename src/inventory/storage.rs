//! `[storage.NAME]`: object storage that releases are brought to, side by side with the orchestrators.
//!
//! Its name is one among those of all hosts: it stands in the same lines of output, in the journal, and at the gateway.

use std::path::PathBuf;
use std::str::FromStr;

use super::values::{HttpUrl, ValueError};
use crate::core::names::HostName;
use crate::document::{Reading, Section};

/// S3-compatible object storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Its name, one among all hosts and storages.
    pub name: HostName,
    /// What it is and who may write there.
    pub settings: StorageSettings,
}

/// What the inventory says of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSettings {
    /// Where in it the releases lie.
    pub url: BucketUrl,
    /// The server's address; none is that of Amazon in this region.
    pub endpoint: Option<HttpUrl>,
    /// The region that requests are signed for.
    pub region: String,
    /// The file with the access key; none leaves it to the environment.
    pub credentials: Option<PathBuf>,
    /// What clients fetch packages from; none where nobody is to be pointed there.
    pub binhost: Option<HttpUrl>,
    /// Where it stands among the orchestrators at the gateway; the lowest healthy number is active.
    pub priority: u32,
}

/// What servers without regions take, and Amazon's own first.
const REGION: &str = "us-east-1";
/// Behind orchestrators whose priority is not set either: each request there costs, and it has no API.
const PRIORITY: u32 = 1000;

impl StorageSettings {
    /// Reads `[storage.NAME]`; none where its place is missing or at fault.
    pub(super) fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let url = section.text("url", reading, str::parse);
        section.require("url", "the bucket and what keys begin with there, such as s3://bucket/prefix");
        let endpoint = section.text("endpoint", reading, str::parse);
        let region = section.text("region", reading, region);
        let credentials = section.path("credentials", reading);
        let binhost = section.text("binhost", reading, str::parse);
        let priority = section.number("priority", 0, reading);
        section.finish(reading);
        Some(Self {
            url: url?,
            endpoint,
            region: region.unwrap_or_else(|| REGION.to_owned()),
            credentials,
            binhost,
            priority: priority.unwrap_or(PRIORITY),
        })
    }
}

fn region(text: &str) -> Result<String, ValueError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match !text.is_empty() && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(ValueError(format!("{text:?} is not a region such as eu-central-1"))),
    }
}

/// `s3://BUCKET/PREFIX`: a bucket, and what all keys of ours begin with; the prefix may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    bucket: String,
    prefix: String,
}

impl BucketUrl {
    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What keys begin with, without slashes around it; empty where they begin with nothing.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl std::fmt::Display for BucketUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(formatter, "/{}", self.prefix) }
    }
}

impl FromStr for BucketUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return Err(ValueError(format!("{text:?} is not the place of a storage such as s3://bucket/prefix")));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            let rule = "3 to 63 small letters, digits, '-' and '.', a letter or digit at both ends";
            return Err(ValueError(format!("{bucket:?} is not the name of a bucket: {rule}")));
        }
        let prefix = prefix.trim_end_matches('/');
        let part = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
        };
        if !prefix.is_empty() && !prefix.split('/').all(part) {
            let rule = "words of letters, digits, '-', '_' and '.' with a slash between them";
            return Err(ValueError(format!("{prefix:?} is nothing for keys to begin with: {rule}")));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// The rules of Amazon for new buckets, which other servers have in common with it.
fn is_bucket(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [text.bytes().next(), text.bytes().next_back()];
    (3..=63).contains(&text.len())
        && ends.into_iter().flatten().all(letter)
        && text.bytes().all(|byte| letter(byte) || b"-.".contains(&byte))
        && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_bucket_and_perhaps_a_prefix() {
        for (text, bucket, prefix, shown) in [
            ("s3://argo-packages", "argo-packages", "", "s3://argo-packages"),
            ("s3://argo-packages/", "argo-packages", "", "s3://argo-packages"),
            ("s3://argo/amd64/17.1_desktop/", "argo", "amd64/17.1_desktop", "s3://argo/amd64/17.1_desktop"),
        ] {
            let url: BucketUrl = text.parse().unwrap();
            assert_eq!((url.bucket(), url.prefix(), url.to_string().as_str()), (bucket, prefix, shown));
        }
        for (text, part) in [
            ("https://argo.s3.amazonaws.com", "such as s3://bucket/prefix"),
            ("argo/amd64", "such as s3://bucket/prefix"),
            ("s3://", "\"\" is not the name of a bucket"),
            ("s3://Argo", "\"Argo\" is not the name of a bucket"),
            ("s3://-argo", "is not the name of a bucket"),
            ("s3://ar..go", "is not the name of a bucket"),
            ("s3://argo//amd64", "\"/amd64\" is nothing for keys to begin with"),
            ("s3://argo/../amd64", "is nothing for keys to begin with"),
            ("s3://argo/a b", "is nothing for keys to begin with"),
            ("s3://argo/.swarm", "is nothing for keys to begin with"),
        ] {
            let problem = text.parse::<BucketUrl>().unwrap_err().to_string();
            assert!(problem.contains(part), "{text:?}: {problem}");
        }
    }
}
