//! When unattended runs begin: an entry of the machine's own cron daemon or a systemd timer, and the proof that it works.
//!
//! [`fields`] reads the five fields of a crontab, [`firing`] says when they come due in a time zone (pure), [`daemon`]
//! finds out which daemon this machine has and what that one reads, [`entry`] is what is written for it, [`place`] puts it
//! there and takes it away, [`evidence`] says whether it is read, and [`punctual`] whether the runs come when they should.
//!
//! Daemons differ in what they read, and in what they do when clocks are changed:
//!
//! | | reads | a time that is skipped | a time that comes twice |
//! |---|---|---|---|
//! | Debian's cron, cronie | `/etc/cron.d/NAME`, with a user | fires right after the gap | fires the first time |
//! | dcron | `/etc/cron.d/NAME`, without a user | does not fire | fires twice |
//! | busybox crond | `/var/spool/cron/crontabs/USER` | does not fire | fires twice |
//! | systemd | `/etc/systemd/system/NAME.timer` | does not fire | fires the first time |

pub mod daemon;
pub mod entry;
pub mod evidence;
pub mod fields;
pub mod firing;
pub mod place;
pub mod punctual;
