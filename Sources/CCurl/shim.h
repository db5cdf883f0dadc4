// libcurl's option setters are variadic macros, which Swift does not import: one typed inline function per kind.
#pragma once
#include <curl/curl.h>

static inline CURLcode pm_easy_set_long(CURL *h, CURLoption o, long v) { return (curl_easy_setopt)(h, o, v); }
static inline CURLcode pm_easy_set_off(CURL *h, CURLoption o, long long v) {
  return (curl_easy_setopt)(h, o, (curl_off_t)v);
}
static inline CURLcode pm_easy_set_string(CURL *h, CURLoption o, const char *v) {
  return (curl_easy_setopt)(h, o, v);
}
static inline CURLcode pm_easy_set_pointer(CURL *h, CURLoption o, const void *v) {
  return (curl_easy_setopt)(h, o, v);
}
typedef size_t (*pm_data_callback)(char *, size_t, size_t, void *);
static inline CURLcode pm_easy_set_data_callback(CURL *h, CURLoption o, pm_data_callback f) {
  return (curl_easy_setopt)(h, o, f);
}
static inline CURLcode pm_easy_set_prereq(CURL *h, curl_prereq_callback f) {
  return (curl_easy_setopt)(h, CURLOPT_PREREQFUNCTION, f);
}
static inline CURLcode pm_easy_set_sockopt(CURL *h, curl_sockopt_callback f) {
  return (curl_easy_setopt)(h, CURLOPT_SOCKOPTFUNCTION, f);
}
static inline CURLcode pm_easy_set_closesocket(CURL *h, curl_closesocket_callback f) {
  return (curl_easy_setopt)(h, CURLOPT_CLOSESOCKETFUNCTION, f);
}
static inline CURLcode pm_easy_get_long(CURL *h, CURLINFO i, long *v) { return (curl_easy_getinfo)(h, i, v); }
static inline CURLcode pm_easy_get_pointer(CURL *h, CURLINFO i, void **v) { return (curl_easy_getinfo)(h, i, v); }
static inline CURLcode pm_easy_get_off(CURL *h, CURLINFO i, curl_off_t *v) { return (curl_easy_getinfo)(h, i, v); }

static inline CURLMcode pm_multi_set_long(CURLM *m, CURLMoption o, long v) { return (curl_multi_setopt)(m, o, v); }
static inline CURLMcode pm_multi_set_pointer(CURLM *m, CURLMoption o, void *v) {
  return (curl_multi_setopt)(m, o, v);
}
static inline CURLMcode pm_multi_set_socket_callback(CURLM *m, curl_socket_callback f) {
  return (curl_multi_setopt)(m, CURLMOPT_SOCKETFUNCTION, f);
}
static inline CURLMcode pm_multi_set_timer_callback(CURLM *m, curl_multi_timer_callback f) {
  return (curl_multi_setopt)(m, CURLMOPT_TIMERFUNCTION, f);
}
/// The finished transfer of a CURLMSG_DONE message; the result is in a union that Swift cannot name.
static inline CURLcode pm_message_result(const CURLMsg *m) { return m->data.result; }
