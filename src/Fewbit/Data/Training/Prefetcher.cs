using System.Runtime.ExceptionServices;

namespace Fewbit.Data.Training;

/// <summary>Fills a ring of slots on background threads and hands them out in order; an error appears on the reader's thread where its item would have.</summary>
/// <param name="slots">What is filled again and again, at least 2: the reader holds one, the others are read ahead.</param>
/// <param name="threads">Background threads, at least 1.</param>
/// <param name="fill">Fills a slot with an item; called from several threads, never twice at once for one slot.</param>
internal sealed class Prefetcher<T>(IReadOnlyList<T> slots, int threads, Action<T, int> fill)
{
    /// <summary>Items [first, end), each valid until the next is asked for. Stops with <see cref="OperationCanceledException"/> when asked to.</summary>
    public IEnumerable<T> Run(int first, int end, CancellationToken cancellation)
    {
        using var ring = new Ring(slots, fill, first, end);
        using CancellationTokenRegistration registration = cancellation.Register(ring.Wake);
        ring.Start(Math.Min(threads, end - first));
        for (int item = first; item < end; item++) yield return ring.Take(item, cancellation);
    }

    private sealed class Ring(IReadOnlyList<T> slots, Action<T, int> fill, int first, int end) : IDisposable
    {
        private readonly object _gate = new();
        private readonly int[] _filled = [.. Enumerable.Repeat(-1, slots.Count)];
        private readonly Exception?[] _errors = new Exception?[slots.Count];
        private readonly List<Thread> _threads = [];
        private int _next = first, _taken = first, _end = end;

        public void Start(int count)
        {
            for (int i = 0; i < count; i++) _threads.Add(new Thread(Work) { IsBackground = true, Name = "Fewbit prefetch" });
            foreach (Thread thread in _threads) thread.Start();
        }

        public void Wake()
        {
            lock (_gate) Monitor.PulseAll(_gate);
        }

        /// <summary>Gives back the slot of the item before and waits for this one.</summary>
        public T Take(int item, CancellationToken cancellation)
        {
            int slot = item % slots.Count;
            lock (_gate)
            {
                _taken = item;
                Monitor.PulseAll(_gate);
                while (_filled[slot] != item)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Monitor.Wait(_gate);
                }
                cancellation.ThrowIfCancellationRequested();
                if (_errors[slot] is { } error) ExceptionDispatchInfo.Throw(error);
                return slots[slot];
            }
        }

        /// <summary>Waits for the threads, so that none still reads files or writes to slots.</summary>
        public void Dispose()
        {
            lock (_gate)
            {
                _end = _next;
                Monitor.PulseAll(_gate);
            }
            foreach (Thread thread in _threads) thread.Join();
        }

        private void Work()
        {
            while (Claim() is { } item)
            {
                int slot = item % slots.Count;
                Exception? error = null;
                try
                {
                    fill(slots[slot], item);
                }
                catch (Exception problem)
                {
                    error = problem;
                }
                lock (_gate)
                {
                    (_filled[slot], _errors[slot]) = (item, error);
                    if (error is not null) _end = _next;
                    Monitor.PulseAll(_gate);
                }
            }
        }

        /// <summary>The next item once its slot is free; null where no more is wanted.</summary>
        private int? Claim()
        {
            lock (_gate)
            {
                while (_next < _end && _next - _taken >= slots.Count) Monitor.Wait(_gate);
                return _next < _end ? _next++ : null;
            }
        }
    }
}
