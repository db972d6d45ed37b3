//! A proxy with HTTPS, and clients that believe its certificate alone.

use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Connection;
use crate::proxy::{DEADLINE, Proxy, free_port};

pub const NAME: &str = "hub.test";

/// A certificate in files, as an administrator would have it.
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
    _folder: TempDir,
}

impl Files {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        let files = Self {
            cert,
            key,
            _folder: folder,
        };
        files.renew();
        files
    }

    /// Writes another certificate of its own key.
    pub fn renew(&self) {
        let made = rcgen::generate_simple_self_signed([NAME.to_string()]).unwrap();
        std::fs::write(&self.cert, made.cert.pem()).unwrap();
        std::fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
    }

    pub fn settings(&self, port: u16) -> Value {
        let certificate = json!({"cert_file": self.cert, "key_file": self.key});
        json!({"address": "127.0.0.1", "port": port, "certificate": certificate})
    }
}

pub struct Secure {
    pub proxy: Proxy,
    pub files: Files,
    pub port: u16,
}

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

impl Secure {
    pub fn start() -> Self {
        Self::start_with(json!({}))
    }

    /// With more settings below `https`.
    pub fn start_with(more: Value) -> Self {
        let (files, port) = (Files::new(), free_port());
        let mut settings = files.settings(port);
        let more = more.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(more);
        let proxy = Proxy::start_set(json!({"https": settings}));
        Self { proxy, files, port }
    }

    /// What a client offers that believes the certificate in the files.
    pub fn client(
        &self,
        protocols: &[&[u8]],
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(&self.files.cert).unwrap())
            .unwrap();
        let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        client
    }

    /// A socket by TLS, without a protocol agreed upon.
    pub fn connect(&self) -> Tls {
        self.connect_as(self.client(&[], rustls::ALL_VERSIONS))
            .unwrap()
    }

    /// The same after a whole handshake, or why there is none.
    pub fn connect_as(&self, client: ClientConfig) -> std::io::Result<Tls> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let mut tls = ClientConnection::new(Arc::new(client), name).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(StreamOwned::new(tls, socket))
    }

    pub fn open(&self) -> Connection<Tls> {
        Connection::over(self.connect())
    }

    pub fn get(&self, target: &str) -> crate::client::Response {
        let mut connection = self.open();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: {NAME}\r\n\r\n").as_bytes());
        connection.read_response()
    }

    /// What the proxy tells about HTTPS.
    pub fn status(&self) -> Value {
        let text = std::fs::read(self.proxy.state("status.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}
