namespace Fewbit.Testing;

/// <summary>Counts the managed memory that work takes on this thread.</summary>
public static class Allocations
{
    private const int WarmUps = 3, Windows = 10;

    /// <summary>
    /// The least bytes of several runs after some to warm up. A collection that another test starts counts as bytes what was only reserved, and generic code may box
    /// until the just-in-time compiler has settled: work that allocates by itself does so in every run.
    /// </summary>
    public static long LeastOf(Action work)
    {
        for (int i = 0; i < WarmUps; i++) work();
        return Enumerable.Range(0, Windows).Min(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
    }
}
