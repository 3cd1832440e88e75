// A wall clock that is off by WRONG_CLOCK_MS, for a process that preloads this. Debian's libfaketime cannot be used: it does
// not know cnd_timedwait, by which librdkafka waits until a moment of the wall clock, so that nothing waits as it should.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

static time_t offset_s(void) {
  const char *text = getenv("WRONG_CLOCK_MS");
  return text == NULL ? 0 : (time_t)(atoll(text) / 1000);
}

int clock_gettime(clockid_t id, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, now);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) now->tv_sec += offset_s();
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  int result = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return result;
}

time_t time(time_t *now) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now != NULL) *now = exact.tv_sec;
  return exact.tv_sec;
}

// The kernel's clock is right. No machine runs for 30 years: what is later than that is no monotonic time.
static struct timespec kernel_time(const struct timespec *deadline) {
  struct timespec moment = *deadline;
  if (moment.tv_sec > 1000000000) moment.tv_sec -= offset_s();
  return moment;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict deadline) {
  static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
  if (real == NULL) real = (int (*)(cnd_t *, mtx_t *, const struct timespec *))dlsym(RTLD_NEXT, "cnd_timedwait");
  struct timespec moment = kernel_time(deadline);
  return real(condition, mutex, &moment);
}

// A librdkafka that was built without C11 threads waits by this one.
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (real == NULL) {
    // Without its version, an older function of that name is found on some machines.
    void *found = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (found == NULL) found = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))found;
  }
  struct timespec moment = kernel_time(deadline);
  return real(condition, mutex, &moment);
}
