// What the kernels share: how a library exports, what it owns once in a process, and how it reports failure.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "thread_pool.hpp"

#if defined(_WIN32)
#define LODESTONE_API extern "C" __declspec(dllexport)
#else
#define LODESTONE_API extern "C" __attribute__((visibility("default")))
#endif

namespace lodestone {

enum Status : int { kDone = 0, kOutOfMemory = 1, kTooManyPairs = 2, kFailed = 3 };

// The only Owned of a process. It is never destroyed, because threads may outlive static objects at exit, and a child
// process starts its own, because fork copies neither the threads nor a consistent mutex.
template <class Owned>
Owned& once_per_process() {
    static std::atomic<Owned*> current{nullptr};
#if !defined(_WIN32)
    static const int registered = pthread_atfork(nullptr, nullptr, [] { current.store(nullptr); });
    (void)registered;
#endif
    Owned* existing = current.load();
    if (existing) return *existing;
    auto fresh = std::make_unique<Owned>();
    return current.compare_exchange_strong(existing, fresh.get()) ? *fresh.release() : *existing;
}

// The status that work returns, or the one of what it throws: no exception leaves a library.
template <class Work>
int guarded(const Work& work) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return kOutOfMemory;
    } catch (...) {
        return kFailed;
    }
}

// Runs task(worker, index) for every index below count.
template <class Task>
int run_parallel(int64_t threads, int64_t count, Task&& task) {
    return guarded([&] {
        once_per_process<ThreadPool>().run(static_cast<int>(threads), count, std::forward<Task>(task));
        return static_cast<int>(kDone);
    });
}

}  // namespace lodestone
