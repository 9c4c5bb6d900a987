"""TLS: what is negotiated, what is refused, and certificates that clients can verify."""
import datetime
import socket
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from raw_ws import BINARY, PING, PONG, RawSocket, trusting, upgrade_request
from relay_process import PATIENCE_S
from sealpost_client import Identity, encode_envelope


def make_certificate(directory, name="localhost"):
    """A self-signed certificate and its key in PEM: (certificate file, key file)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(hours=1))
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
                   .add_extension(x509.BasicConstraints(True, None), True)
                   .sign(key, hashes.SHA256()))
    certificate_file, key_file = directory / f"{name}.pem", directory / f"{name}.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                           serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return certificate_file, key_file


@pytest.fixture
def tls_relay(start_relay):
    return start_relay("--workers", 1, listen=("wss",))


def s_client(relay, *options):
    host, port = relay.address("wss")
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile", relay.certificate,
         "-servername", "localhost", "-verify_return_error", "-brief", *options],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S)


def test_certificate_written_out_verifies(tls_relay):
    with RawSocket(tls_relay.address("wss"), tls=trusting(tls_relay)) as client:
        assert client.socket.version() == "TLSv1.3"
        client.join(Identity())


def test_another_certificate_does_not_verify(tls_relay):
    with pytest.raises(ssl.SSLCertVerificationError):
        RawSocket(tls_relay.address("wss"), tls=ssl.create_default_context())
    tls_relay.await_stats(lambda s: s["connections_closed"] == 1)


def test_two_relays_have_different_certificates(start_relay):
    first, second = (start_relay("--workers", 1, listen=("wss",)) for _ in range(2))
    with pytest.raises(ssl.SSLCertVerificationError):
        RawSocket(first.address("wss"), tls=trusting(second))


def test_certificate_given(start_relay, tmp_path):
    certificate, key = make_certificate(tmp_path)
    relay = start_relay("--workers", 1, "--tls-certificate", certificate, "--tls-key", key,
                        listen=("wss",))
    assert relay.certificate.read_text() == certificate.read_text()
    with RawSocket(relay.address("wss"), tls=trusting(relay)) as client:
        client.join(Identity())


def test_hybrid_group_is_negotiated(tls_relay):
    out = s_client(tls_relay)
    assert out.returncode == 0, out.stderr
    assert "Negotiated TLS1.3 group: X25519MLKEM768" in out.stderr
    assert "Verification: OK" in out.stderr


def test_x25519_alone_is_taken(tls_relay):
    out = s_client(tls_relay, "-groups", "X25519")
    assert out.returncode == 0, out.stderr
    assert "X25519MLKEM768" not in out.stderr


def test_hello_retry_request(tls_relay):
    """Failure case 10: a first key share of a group the relay does not take."""
    out = s_client(tls_relay, "-groups", "*P-256:X25519")
    assert out.returncode == 0, out.stderr
    assert "Protocol version: TLSv1.3" in out.stderr


def test_other_groups_are_refused(tls_relay):
    assert s_client(tls_relay, "-groups", "P-256").returncode != 0
    assert tls_relay.stop()["tls_failed"] == 1


def test_tls_1_2_is_refused(tls_relay):
    context = trusting(tls_relay)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION|protocol version"):
        RawSocket(tls_relay.address("wss"), tls=context)
    assert tls_relay.stop()["tls_failed"] == 1


@pytest.mark.parametrize("sent", [upgrade_request(), b"\0" * 600, b"\x16\x03\x01\xff\xff\x01",
                                  b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff" + bytes(500)],
                         ids=["http", "zeroes", "oversize_record", "bad_hello"])
def test_what_is_not_tls_is_closed(tls_relay, sent):
    with RawSocket(tls_relay.address("wss")) as client:
        client.send(sent)
        client.half_close()
        while client.socket.recv(4096):
            continue
    stats = tls_relay.stop()
    assert stats["tls_handshakes"] == 0 and stats["connections_closed"] == 1


def test_tickets_resume(start_relay):
    """Each handshake brings one ticket, good at every worker; another relay does not know it."""
    relay, other = (start_relay("--workers", 2, listen=("wss",)) for _ in range(2))
    context = trusting(relay)
    session = None
    for turn in range(6):
        with socket.create_connection(relay.address("wss"), PATIENCE_S) as plain, \
                context.wrap_socket(plain, server_hostname="localhost", session=session) as secure:
            assert secure.session_reused == (turn > 0)
            secure.sendall(upgrade_request())
            assert secure.recv(4096).startswith(b"HTTP/1.1 101")
            session = secure.session
            assert session.has_ticket and 0 < session.ticket_lifetime_hint <= 3600
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(other.address("wss"), PATIENCE_S) as plain, \
            context.wrap_socket(plain, session=session) as secure:
        assert not secure.session_reused
    stats = relay.stop()
    assert stats["tls_handshakes"] == 6 and stats["tls_resumed"] == 5
    assert other.stop()["tls_resumed"] == 0


def test_spoilt_record_ends_the_connection(tls_relay):
    client = RawSocket(tls_relay.address("wss"), tls=trusting(tls_relay))
    client.join(Identity())
    plain = socket.socket(fileno=client.socket.detach())
    plain.settimeout(PATIENCE_S)
    plain.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    while plain.recv(4096):
        continue
    plain.close()
    stats = tls_relay.stop()
    assert stats["closed_socket_error"] + stats["tls_failed"] == 1


def test_close_notify_is_answered(tls_relay):
    client = RawSocket(tls_relay.address("wss"), tls=trusting(tls_relay))
    client.join(Identity())
    client.socket.unwrap().close()  # sends close_notify and waits for the relay's
    assert tls_relay.stop()["closed_by_peer"] == 1


def test_end_without_close_notify(tls_relay):
    client = RawSocket(tls_relay.address("wss"), tls=trusting(tls_relay))
    client.join(Identity())
    client.half_close()
    client.close()
    tls_relay.await_stats(lambda s: s["connections_closed"] == 1)


def test_handshakes_abandoned_at_every_stage(tls_relay):
    """The first bytes of a ClientHello, more each time, then a reset."""
    context = trusting(tls_relay)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read()
    cuts = range(0, len(hello) + 1, 13)
    for cut in cuts:
        client = RawSocket(tls_relay.address("wss"))
        client.send(hello[:cut])
        client.reset()
    # Long before the bound of ten seconds on a handshake.
    stats = tls_relay.await_stats(lambda s: s["connections_closed"] == len(cuts), within_s=6)
    assert stats["tls_handshakes"] == 0 and stats["closed_handshake_timeout"] == 0


def test_records_of_every_size_together(tls_relay):
    """Many envelopes in one record, one envelope in many records."""
    identity = Identity()
    with RawSocket(tls_relay.address("wss"), tls=trusting(tls_relay)) as client:
        client.join(identity)
        envelopes = [encode_envelope(identity.mailbox, bytes([i]) * size)
                     for i, size in enumerate([1] * 50 + [16384, 65536, 300] * 3)]
        for envelope in envelopes:
            client.send_frame(BINARY, envelope)
            client.send_frame(PING, b"between")
        got = [client.receive_frame() for _ in range(2 * len(envelopes))]
    assert [f.payload for f in got if f.opcode == BINARY] == envelopes
    assert [f.opcode for f in got].count(PONG) == len(envelopes)
