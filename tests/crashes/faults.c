/*
 * The fault layer: a library that stands between the program and the system and lets one call fail, fall short, or be the last
 * one that the program makes. `layer.rs` compiles it, sets it before the program with LD_PRELOAD, and says by variables what is
 * to happen; what has been counted is in a file that both map.
 *
 * A sync never reaches the disk: the death of a process needs none, and what a power cut leaves is worked out from the trace. The
 * clocks run ahead by as much as the mapped file says, so that a lease runs out without anybody waiting for it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Where a fault can strike. */
enum place {
    CALL,    /* any call that this library sees */
    CHANGE,  /* a call that changes or syncs something in the state folder */
    COPY,    /* one of these by which the journal's log is copied into the database, or begins anew */
    RELEASE, /* the right to write to the journal is given back: a commit is over */
    PLACES
};

enum what { NOTHING, KILL, TEAR, STOP, SHORT, FAIL };

/* What changes, in the trace. */
enum kind { WRITE = 1, TRUNCATE, SYNC, UNLINK, RENAME, CREATE };

/* Shared with the test, and by all processes of one case. */
static struct control {
    _Atomic uint64_t counted[PLACES];
    _Atomic uint64_t struck;
    _Atomic int64_t ahead; /* seconds */
} *control;

static struct {
    enum what what;
    enum place place;
    uint64_t at;
    int number; /* errno */
    int onward; /* at every later place too */
} fault;

static char folder[PATH_MAX];
static size_t folder_length;
static const char *effects;
static int trace = -1;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* Before main, and so before any thread. */
__attribute__((constructor)) static void begin(void) {
    const char *shared = getenv("FAULT_CONTROL"), *state = getenv("FAULT_FOLDER");
    const char *wanted = getenv("FAULT"), *kept = getenv("FAULT_TRACE");
    if (!shared || !state)
        return;
    snprintf(folder, sizeof folder, "%s", state);
    folder_length = strlen(folder);
    effects = getenv("FAULT_EFFECTS");
    if (kept)
        trace = syscall(SYS_openat, AT_FDCWD, kept, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    char what[8] = "", place[8] = "", onward[8] = "";
    unsigned long at = 0;
    if (wanted && sscanf(wanted, "%7s %7s %lu %d %7s", what, place, &at, &fault.number, onward) >= 3) {
        const char *whats[] = {"", "kill", "tear", "stop", "short", "fail"}, *places[] = {"call", "change", "copy", "release"};
        for (int i = 1; i <= FAIL; i++)
            if (!strcmp(what, whats[i]))
                fault.what = i;
        for (int i = 0; i < PLACES; i++)
            if (!strcmp(place, places[i]))
                fault.place = i;
        fault.at = at;
        fault.onward = !strcmp(onward, "on");
    }
    int file = syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC, 0);
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        fprintf(stderr, "the fault layer cannot map %s\n", shared);
        abort();
    }
    syscall(SYS_close, file);
    control = mapped;
}

static void end_here(int signal) {
    syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal);
}

/* Counts a place that the program has come to, and says what is to happen there. */
static enum what reach(enum place place) {
    if (!control)
        return NOTHING;
    uint64_t count = atomic_fetch_add(&control->counted[place], 1) + 1;
    if (place != fault.place || fault.what == NOTHING || count < fault.at || (count > fault.at && !fault.onward))
        return NOTHING;
    atomic_fetch_add(&control->struck, 1);
    if (fault.what == KILL)
        end_here(SIGKILL);
    if (fault.what == STOP) {
        // Nobody would wake it again once the test is gone.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        end_here(SIGSTOP);
    }
    return fault.what;
}

/* SQLite's log has a head of 32 bytes, and before each page one of 24. */
#define FIRST_FRAME_END (32 + 24 + 4096)

/* The same for a change of this file from there on. */
static enum what reach_change(const char *path, off_t offset) {
    size_t length = strlen(path);
    int in_database = length > 11 && !strcmp(path + length - 11, "/journal.db");
    int begins_log = length > 15 && !strcmp(path + length - 15, "/journal.db-wal") && offset >= 0 && offset < FIRST_FRAME_END;
    enum what what = reach(CHANGE);
    return what == NOTHING && (in_database || begins_log) ? reach(COPY) : what;
}

static int is_beneath(const char *path) {
    return control && folder_length && !strncmp(path, folder, folder_length) &&
           (path[folder_length] == '/' || path[folder_length] == 0);
}

/* Whether an open file is in the state folder, and where. */
static int is_ours(int fd, char path[PATH_MAX]) {
    if (!control)
        return 0;
    int before = errno;
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    errno = before;
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_beneath(path);
}

static uint64_t effects_so_far(void) {
    struct stat status;
    return effects && !stat(effects, &status) ? (uint64_t)status.st_size : 0;
}

/* What has happened, and how many bytes of effects there were just before. */
static void note(enum kind kind, uint64_t before, const char *path, uint64_t offset, const void *bytes, size_t length) {
    if (trace < 0)
        return;
    uint64_t head[] = {kind, before, offset, strlen(path), length};
    struct iovec parts[] = {{head, sizeof head}, {(void *)path, head[3]}, {(void *)bytes, length}};
    syscall(SYS_writev, trace, parts, 3);
}

/* A change of a whole file, which either happens or does not. */
#define CHANGED(kind, path, offset, bytes, length, act)                                                                           \
    ({                                                                                                                             \
        pthread_mutex_lock(&one_at_a_time);                                                                                       \
        enum what what_ = reach_change(path, -1);                                                                                          \
        uint64_t before_ = effects_so_far();                                                                                      \
        int result_ = -1;                                                                                                         \
        if (what_ == FAIL)                                                                                                        \
            errno = fault.number;                                                                                                 \
        else                                                                                                                      \
            result_ = (act);                                                                                                      \
        if (result_ >= 0)                                                                                                         \
            note(kind, before_, path, offset, bytes, length);                                                                     \
        if (what_ == TEAR)                                                                                                        \
            end_here(SIGKILL);                                                                                                    \
        pthread_mutex_unlock(&one_at_a_time);                                                                                     \
        result_;                                                                                                                  \
    })

/* `at` is -1 where the file's own position counts. */
static ssize_t put(int fd, const void *bytes, size_t length, off_t at) {
    char path[PATH_MAX];
    reach(CALL);
    if (!is_ours(fd, path))
        return at < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
    pthread_mutex_lock(&one_at_a_time);
    enum what what = reach_change(path, at);
    uint64_t before = effects_so_far();
    ssize_t written = -1;
    if (what == FAIL) {
        errno = fault.number;
    } else {
        if (what == SHORT || what == TEAR)
            length = (length + 1) / 2;
        off_t offset = at;
        if (at < 0) {
            struct stat status;
            int appends = syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND;
            offset = appends && !fstat(fd, &status) ? status.st_size : lseek(fd, 0, SEEK_CUR);
        }
        written = at < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
        if (written > 0)
            note(WRITE, before, path, offset, bytes, written);
        if (what == TEAR)
            end_here(SIGKILL);
    }
    pthread_mutex_unlock(&one_at_a_time);
    return written;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    return put(fd, bytes, length, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return put(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    return put(fd, bytes, length, at);
}

/* The folders in a folder, a line each: those that were made by calls that this library does not see. */
static size_t folders_in(const char *path, char *names, size_t room) {
    size_t length = 0;
    DIR *open = trace < 0 ? NULL : opendir(path);
    for (struct dirent *entry; open && (entry = readdir(open));)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && length + sizeof entry->d_name + 1 < room)
            length += sprintf(names + length, "%s\n", entry->d_name);
    if (open)
        closedir(open);
    return length;
}

static int sync_file(int fd, long number) {
    char path[PATH_MAX], names[PATH_MAX];
    reach(CALL);
    if (!is_ours(fd, path))
        return syscall(number, fd);
    int before = errno;
    size_t length = folders_in(path, names, sizeof names);
    errno = before;
    return CHANGED(SYNC, path, 0, names, length, 0);
}

int fsync(int fd) {
    return sync_file(fd, SYS_fsync);
}

int fdatasync(int fd) {
    return sync_file(fd, SYS_fdatasync);
}

static int cut(int fd, off_t size) {
    char path[PATH_MAX];
    reach(CALL);
    if (!is_ours(fd, path))
        return syscall(SYS_ftruncate, fd, size);
    return CHANGED(TRUNCATE, path, size, NULL, 0, (int)syscall(SYS_ftruncate, fd, size));
}

int ftruncate(int fd, off_t size) {
    return cut(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    return cut(fd, size);
}

int unlink(const char *path) {
    reach(CALL);
    if (!is_beneath(path))
        return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    return CHANGED(UNLINK, path, 0, NULL, 0, (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int rename(const char *from, const char *to) {
    reach(CALL);
    if (!is_beneath(from))
        return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    return CHANGED(RENAME, from, 0, to, strlen(to), (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

/* A file system that may only be read refuses to open for writing what is there, too; so do files that are not ours to write. */
static int open_file(int at, const char *path, int flags, mode_t mode) {
    reach(CALL);
    if (!is_beneath(path) || !(flags & (O_WRONLY | O_RDWR)))
        return syscall(SYS_openat, at, path, flags, mode);
    if (fault.what == FAIL && (fault.number == EROFS || fault.number == EACCES)) {
        atomic_fetch_add(&control->struck, 1);
        errno = fault.number;
        return -1;
    }
    if (!(flags & O_CREAT) || !syscall(SYS_faccessat, AT_FDCWD, path, F_OK))
        return syscall(SYS_openat, at, path, flags, mode);
    return CHANGED(CREATE, path, 0, NULL, 0, (int)syscall(SYS_openat, at, path, flags, mode));
}

#define MODE_OF(flags)                                                                                                            \
    ({                                                                                                                             \
        mode_t mode_ = 0;                                                                                                         \
        if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                                    \
            va_list rest_;                                                                                                        \
            va_start(rest_, flags);                                                                                               \
            mode_ = va_arg(rest_, mode_t);                                                                                        \
            va_end(rest_);                                                                                                        \
        }                                                                                                                         \
        mode_;                                                                                                                    \
    })

int open(const char *path, int flags, ...) {
    return open_file(AT_FDCWD, path, flags, MODE_OF(flags));
}

int open64(const char *path, int flags, ...) {
    return open_file(AT_FDCWD, path, flags, MODE_OF(flags));
}

/* SQLite's right to write to the journal is a lock on this byte of its shared memory. */
#define WRITE_LOCK 120

static int control_file(int fd, int command, void *argument) {
    char path[PATH_MAX];
    reach(CALL);
    int result = syscall(SYS_fcntl, fd, command, argument);
    if (result == 0 && command == F_SETLK) {
        struct flock *lock = argument;
        if (lock->l_type == F_UNLCK && lock->l_start == WRITE_LOCK && is_ours(fd, path))
            reach(RELEASE);
    }
    return result;
}

/* However many arguments there are, the third is in its register. */
int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return control_file(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return control_file(fd, command, argument);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    reach(CALL);
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && control && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID)
        time->tv_sec += atomic_load(&control->ahead);
    return result;
}

/* A place before the child begins, and one after. */
int posix_spawn(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *restrict actions,
                const posix_spawnattr_t *restrict attributes, char *const argv[restrict], char *const environment[restrict]) {
    static int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                       char *const[]);
    if (!real)
        real = dlsym(RTLD_NEXT, "posix_spawn");
    reach(CALL);
    int result = real(pid, file, actions, attributes, argv, environment);
    reach(CALL);
    return result;
}
