// OpenSSL: digests and constant-time comparison from libcrypto, and TLS to clients from libssl. What OpenSSL has as macros
// only, which Swift does not import, is wrapped here in inline functions.
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <string.h>

/// Chooses `http/1.1` among the protocols that the client offers (RFC 7301), or ends the handshake.
static inline int pm_tls_choose_protocol(
    SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
    unsigned int offered_length, void *context) {
  static const unsigned char known[] = "\x08http/1.1";
  unsigned char *found = NULL;
  int result = SSL_select_next_proto(&found, length, known, sizeof known - 1, offered, offered_length);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

/// Nobody is asked for the password of a key: it counts as wrong.
static inline int pm_tls_no_password(char *into, int size, int writing, void *context) { return -1; }

/// The rules of a server's context: TLS 1.2 and 1.3 with forward secrecy, tickets instead of a session store, no
/// renegotiation, `http/1.1`; buffers only while they are used, writes that may be partial and may move, one `read(2)`
/// for a record's header and body. Returns 1, or 0 when OpenSSL refuses one of them.
static inline int pm_tls_set_rules(SSL_CTX *context) {
  SSL_CTX_set_mode(
      context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Without it one call would go on for as long as the peer sends records that hold no application bytes.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_passwd_cb(context, pm_tls_no_password);
  SSL_CTX_set_alpn_select_cb(context, pm_tls_choose_protocol, NULL);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

/// Whether both contexts present the same certificate.
static inline int pm_tls_is_same_certificate(SSL_CTX *one, SSL_CTX *other) {
  X509 *first = SSL_CTX_get0_certificate(one), *second = SSL_CTX_get0_certificate(other);
  return first && second && X509_cmp(first, second) == 0;
}

/// Lets `context` read the session tickets that `earlier` wrote.
static inline void pm_tls_keep_tickets(SSL_CTX *context, SSL_CTX *earlier) {
  unsigned char keys[80];
  if (SSL_CTX_get_tlsext_ticket_keys(earlier, NULL, 0) != sizeof keys) return;
  if (SSL_CTX_get_tlsext_ticket_keys(earlier, keys, sizeof keys) == 1)
    SSL_CTX_set_tlsext_ticket_keys(context, keys, sizeof keys);
  OPENSSL_cleanse(keys, sizeof keys);
}

/// The reason of this thread's oldest error, for people; the thread's errors are forgotten.
static inline const char *pm_tls_take_reason(void) {
  unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char *reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
  return reason ? reason : "unknown reason";
}
