// Threads that wait on a condition variable and share the tasks 0 .. count-1 of one job at a time.
//
// Nothing spins, because a waiting loop takes the core from the thread it waits for when another process is busy. The
// calling thread takes tasks like the others and never waits for a worker that has not started. A job that arrives
// while another runs, from a second thread, is done by its caller alone. Results must not depend on which thread runs
// which task.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace lodestone {

class ThreadPool {
  public:
    // Calls task(worker, index) for every index; worker < threads tells simultaneous calls apart.
    template <class Task>
    void run(int threads, int64_t count, Task&& task) {
        if (threads > count) threads = static_cast<int>(count);
        std::unique_lock<std::mutex> sole(submission_, std::defer_lock);
        if (threads <= 1 || !sole.try_lock()) {
            for (int64_t index = 0; index < count; ++index) task(0, index);
            return;
        }
        share(
            threads, count,
            [](void* context, int worker, int64_t index) { (*static_cast<Task*>(context))(worker, index); },
            const_cast<void*>(static_cast<const void*>(&task)));
    }

  private:
    using Function = void (*)(void* context, int worker, int64_t index);

    void share(int threads, int64_t count, Function function, void* context) {
        hire(threads - 1);
        open(threads, count, function, context);
        for (int worker = 1; worker < threads; ++worker) wake_.notify_one();
        drain(0);
        close();
    }

    // A machine that refuses another thread leaves the work to those there are.
    void hire(int workers) {
        try {
            while (static_cast<int>(workers_.size()) < workers) workers_.emplace_back([this] { work(); });
        } catch (const std::exception&) {
        }
    }

    void open(int threads, int64_t count, Function function, void* context) {
        std::lock_guard<std::mutex> lock(state_);
        function_ = function;
        context_ = context;
        count_ = count;
        next_.store(0, std::memory_order_relaxed);
        failure_ = nullptr;
        vacancies_ = threads - 1;
        joined_ = 0;
    }

    void close() {
        std::unique_lock<std::mutex> lock(state_);
        vacancies_ = 0;
        idle_.wait(lock, [this] { return running_ == 0; });
        const std::exception_ptr failure = failure_;
        failure_ = nullptr;
        lock.unlock();
        if (failure) std::rethrow_exception(failure);
    }

    void drain(int worker) {
        try {
            for (int64_t index; (index = next_.fetch_add(1, std::memory_order_relaxed)) < count_;)
                function_(context_, worker, index);
        } catch (...) {
            next_.store(count_, std::memory_order_relaxed);
            std::lock_guard<std::mutex> lock(state_);
            failure_ = std::current_exception();
        }
    }

    void work() {
        std::unique_lock<std::mutex> lock(state_);
        for (;;) {
            wake_.wait(lock, [this] { return vacancies_ > 0; });
            --vacancies_;
            ++running_;
            const int worker = ++joined_;
            lock.unlock();
            drain(worker);
            lock.lock();
            if (--running_ == 0) idle_.notify_one();
        }
    }

    std::mutex submission_, state_;
    std::condition_variable wake_, idle_;
    std::vector<std::thread> workers_;
    std::atomic<int64_t> next_{0};
    int64_t count_ = 0;
    Function function_ = nullptr;
    void* context_ = nullptr;
    std::exception_ptr failure_;
    int vacancies_ = 0, running_ = 0, joined_ = 0;
};

}  // namespace lodestone
