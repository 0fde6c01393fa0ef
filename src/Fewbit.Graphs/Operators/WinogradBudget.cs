namespace Fewbit.Graphs.Operators;

/// <summary>The bytes of transformed weights that one plan may keep.</summary>
internal sealed class WinogradBudget(long bytes)
{
    private long _left = bytes;

    /// <summary>Takes so many bytes where as many are left.</summary>
    public bool TryTake(long wanted)
    {
        if (wanted > _left) return false;
        _left -= wanted;
        return true;
    }
}
