//! The warm standby: an orchestrator that does not lead follows the one that does, over SSH, so that it can go on as if
//! nothing had happened.
//!
//! Each service listens at `orchestrator.sock` in its state directory ([`serve`]); another one opens a stream to that
//! socket through SSH ([`peer`]). [`watch`] asks all of them where they stand and follows whoever leads
//! ([`crate::core::role`]). To [`follow`] is:
//!
//! 1. to find the last event that both journals have, and to cut off what comes after it here;
//! 2. to read on from there, for as long as the other one is there;
//! 3. to fetch what each event speaks of ([`fetch`]) before the event itself is written down here: this journal never
//!    speaks of a package that is not here, so a controller that goes on from it finds all that it is told of, and has
//!    jobs whose packages had not come yet deliver them again;
//! 4. to tell the leader how far that has come ([`progress`]): until then a job's copy stays on its drone.
//!
//! Nothing is promoted by this. Whoever wants to be the controller here takes the lock ([`watch::Reins::pause`]).

pub mod fetch;
pub mod follow;
pub mod lines;
pub mod peer;
pub mod progress;
pub mod releases;
pub mod serve;
pub mod view;
pub mod watch;
