// What kernels without memory of their own share: one pool of threads for each library, and how it reports failure.
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

enum Status : int { kDone = 0, kOutOfMemory = 1, kFailed = 3 };

// A forked child has none of its parent's threads: it begins with a pool of its own, and the parent's is left alone.
inline ThreadPool& thread_pool() {
    static std::atomic<ThreadPool*> current{nullptr};
#if !defined(_WIN32)
    static const int registered = pthread_atfork(nullptr, nullptr, [] { current.store(nullptr); });
    (void)registered;
#endif
    ThreadPool* existing = current.load();
    if (existing) return *existing;
    auto fresh = std::make_unique<ThreadPool>();
    return current.compare_exchange_strong(existing, fresh.get()) ? *fresh.release() : *existing;
}

// Runs task(worker, index) for every index below count.
template <class Task>
int run_parallel(int64_t threads, int64_t count, Task&& task) {
    try {
        thread_pool().run(static_cast<int>(threads), count, std::forward<Task>(task));
        return kDone;
    } catch (const std::bad_alloc&) {
        return kOutOfMemory;
    } catch (...) {
        return kFailed;
    }
}

}  // namespace lodestone
