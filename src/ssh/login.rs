//! Logging in with a key: the agent's, or one from a file, with a certificate where one lies beside it.
//!
//! Where the inventory, or ssh's configuration with IdentitiesOnly, names an identity, that key alone is used (the agent
//! signs with it where the file is encrypted). Else the agent's keys come first, then those that ssh's configuration names
//! or the usual files, as with ssh. sshd closes the connection after about six keys that it does not know, so a full agent
//! needs the identity named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{
    Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, load_openssh_certificate,
    load_public_key, load_secret_key,
};
use tokio::net::UnixStream;

use crate::core::text::printable;
use crate::ssh::destination::{Destination, Keys};
use crate::ssh::host::{HostError, HostErrorKind};
use crate::ssh::known_hosts::fingerprint;
use crate::ssh::trust::Guard;

/// The private keys that are tried where none is named, in `~/.ssh`.
const USUAL_FILES: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// Logs in, or says which keys were tried.
pub(crate) async fn login(handle: &mut Handle<Guard>, destination: &Destination) -> Result<(), HostError> {
    let mut attempt = Attempt { agent: agent(handle).await, handle, user: &destination.user, tried: Vec::new() };
    let accepted = match &destination.keys {
        Keys::Only(files) => attempt.files(files).await,
        Keys::AgentAnd(files) => attempt.agent_then_files(files).await,
        Keys::Usual => attempt.agent_then_files(&usual_files()).await,
    };
    let tried = std::mem::take(&mut attempt.tried);
    let gone = handle.is_closed();
    match accepted {
        Ok(true) => Ok(()),
        Err(error) if tried.is_empty() => Err(HostError::new(
            &destination.name,
            HostErrorKind::Unreachable,
            format!("the connection broke during the login: {}", printable(&error.to_string())),
        )),
        Ok(false) | Err(_) => Err(refused(destination, &tried, gone)),
    }
}

fn refused(destination: &Destination, tried: &[String], gone: bool) -> HostError {
    let list = if tried.is_empty() { "no key was found".to_owned() } else { tried.join("\n  ") };
    let end = if gone { "\n  then sshd closed the connection: it takes only so many keys (MaxAuthTries)" } else { "" };
    HostError::new(
        &destination.name,
        HostErrorKind::Authentication,
        format!(
            "no key is accepted for user {}:\n  {list}{end}\n  add one to the host's authorized_keys, or set `user` and \
             `identity` in the inventory",
            destination.user
        ),
    )
}

async fn agent(handle: &Handle<Guard>) -> Option<AgentClient<UnixStream>> {
    let path = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty())?;
    let mut client = AgentClient::connect_uds(path).await.ok()?;
    // Keys that are limited to certain hosts are shown only to a bound connection; other agents than OpenSSH's do not
    // know the request, and need not.
    if let Some(binding) = handle.agent_session_binding() {
        let _ = client.bind_session(binding, false).await;
    }
    Some(client)
}

fn usual_files() -> Vec<PathBuf> {
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else { return Vec::new() };
    USUAL_FILES.iter().map(|name| home.join(".ssh").join(name)).collect()
}

struct Attempt<'a> {
    handle: &'a mut Handle<Guard>,
    agent: Option<AgentClient<UnixStream>>,
    user: &'a str,
    tried: Vec<String>,
}

impl Attempt<'_> {
    /// The agent's keys that are one of these files' first, as ssh does: sshd takes only so many.
    async fn agent_then_files(&mut self, files: &[PathBuf]) -> Result<bool, russh::Error> {
        let named: Vec<PublicKey> = files.iter().filter_map(|file| public_key(file)).collect();
        let mut identities = self.identities().await;
        identities
            .sort_by_key(|identity| !named.iter().any(|public| public.key_data() == identity.public_key().key_data()));
        for identity in identities {
            if self.identity(&identity).await? {
                return Ok(true);
            }
        }
        let there: Vec<PathBuf> = files.iter().filter(|file| file.exists()).cloned().collect();
        self.files(&there).await
    }

    async fn files(&mut self, files: &[PathBuf]) -> Result<bool, russh::Error> {
        for file in files {
            if self.file(file).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn file(&mut self, path: &Path) -> Result<bool, russh::Error> {
        let key = match load_secret_key(path, None) {
            Ok(key) => Arc::new(key),
            Err(error) => return self.unreadable_file(path, &error).await,
        };
        let shown = path.display();
        let certificate_path = beside(path, "-cert.pub");
        if certificate_path.exists() {
            match load_openssh_certificate(&certificate_path) {
                Ok(certificate) => {
                    let hash = self.hash(&key.algorithm()).await?;
                    let mut signer = FileSigner(key.clone());
                    let result = self
                        .handle
                        .authenticate_certificate_with(self.user, certificate, hash, &mut signer)
                        .await
                        .map_err(|FileSignError(error)| error)?;
                    if self.note(result, &certificate_path.display().to_string()) {
                        return Ok(true);
                    }
                }
                Err(error) => self.tried.push(format!("{}: {error}", certificate_path.display())),
            }
        }
        let hash = self.hash(&key.algorithm()).await?;
        let shown = format!("{shown} ({})", fingerprint(key.public_key()));
        let result = self.handle.authenticate_publickey(self.user, PrivateKeyWithHashAlg::new(key, hash)).await?;
        Ok(self.note(result, &shown))
    }

    /// An encrypted file (or a missing one) may have its key in the agent.
    async fn unreadable_file(&mut self, path: &Path, error: &russh::keys::Error) -> Result<bool, russh::Error> {
        if let Some(public) = public_key(path) {
            let identities = self.identities().await;
            let matching = identities.iter().filter(|identity| identity.public_key().key_data() == public.key_data());
            for identity in matching {
                if self.identity(identity).await? {
                    return Ok(true);
                }
            }
        }
        self.tried.push(format!("{}: {error}, and the SSH agent does not have it", path.display()));
        Ok(false)
    }

    async fn identity(&mut self, identity: &AgentIdentity) -> Result<bool, russh::Error> {
        let key = identity.public_key().into_owned();
        let shown = format!("from the agent: {} {}", fingerprint(&key), printable(identity.comment()));
        let hash = self.hash(&key.algorithm()).await?;
        let Some(agent) = self.agent.as_mut() else { return Ok(false) };
        let result = match identity {
            AgentIdentity::PublicKey { .. } => {
                self.handle.authenticate_publickey_with(self.user, key, hash, agent).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                let certificate: Certificate = certificate.clone();
                self.handle.authenticate_certificate_with(self.user, certificate, hash, agent).await
            }
        };
        match result {
            Ok(result) => Ok(self.note(result, &shown)),
            Err(error) => {
                self.tried.push(format!("{shown}: the agent does not sign: {error}"));
                Ok(false)
            }
        }
    }

    async fn identities(&mut self) -> Vec<AgentIdentity> {
        let Some(agent) = self.agent.as_mut() else { return Vec::new() };
        match agent.request_identities().await {
            Ok(identities) => identities,
            Err(error) => {
                self.tried.push(format!("the SSH agent does not list its keys: {error}"));
                Vec::new()
            }
        }
    }

    /// The hash to sign with: RSA keys need one, and asking the server for it may take a second.
    async fn hash(&self, algorithm: &Algorithm) -> Result<Option<HashAlg>, russh::Error> {
        match algorithm {
            Algorithm::Rsa { .. } => Ok(self.handle.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha512))),
            _ => Ok(None),
        }
    }

    fn note(&mut self, result: AuthResult, shown: &str) -> bool {
        match result {
            AuthResult::Success => return true,
            AuthResult::Failure { partial_success: true, .. } => {
                self.tried.push(format!("{shown}: accepted, but the host wants more than a key"));
            }
            AuthResult::Failure { .. } => self.tried.push(format!("{shown}: not accepted")),
        }
        false
    }
}

/// Signs with a key from a file for its certificate. russh's own way asks for RSA certificates by their oldest name,
/// SHA-1, which sshd has long refused.
struct FileSigner(Arc<PrivateKey>);

/// What went wrong while signing.
struct FileSignError(russh::Error);

impl From<russh::SendError> for FileSignError {
    fn from(_: russh::SendError) -> Self {
        Self(russh::Error::SendError)
    }
}

impl russh::Signer for FileSigner {
    type Error = FileSignError;

    async fn auth_sign(
        &mut self,
        _identity: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, FileSignError> {
        let signature = match self.0.key_data() {
            KeypairData::Rsa(pair) => (pair, hash).try_sign(&to_sign),
            _ => self.0.try_sign(&to_sign),
        };
        let signature = signature.map_err(|error| FileSignError(error.into()))?;
        // The answer is what was signed with the signature behind it, as RFC 4252 lays the request out.
        signature.encode_prefixed(&mut to_sign).map_err(|error| FileSignError(error.into()))?;
        Ok(to_sign)
    }
}

/// The public half of a key file that we cannot decrypt: beside it, or within it (OpenSSH's format has it in clear).
fn public_key(path: &Path) -> Option<PublicKey> {
    load_public_key(beside(path, ".pub"))
        .ok()
        .or_else(|| PrivateKey::read_openssh_file(path).ok().map(|key| key.public_key().clone()))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
