namespace Fewbit.Fuzzing.Campaign;

/// <summary>Something that the toolkit should not have done.</summary>
/// <param name="Number">The case.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Detail">Message and place.</param>
internal sealed record Finding(long Number, string Kind, string Detail);

/// <summary>What a campaign counted.</summary>
internal sealed class Tally
{
    private readonly Lock _lock = new();

    /// <summary>Cases by how they ended.</summary>
    public SortedDictionary<string, long> Counts { get; } = new(StringComparer.Ordinal);

    public List<Finding> Findings { get; } = [];

    /// <summary>Processor seconds of all children.</summary>
    public double CpuSeconds { get; private set; }

    public double LongestCaseSeconds { get; private set; }

    public long MaxResidentBytes { get; private set; }

    public string Seeds { get; set; } = "";

    public long Cases => Counts.Values.Sum();

    public void Add(long number, Outcome outcome, double seconds)
    {
        lock (_lock)
        {
            Counts[outcome.Kind] = Counts.GetValueOrDefault(outcome.Kind) + 1;
            LongestCaseSeconds = Math.Max(LongestCaseSeconds, seconds);
            if (outcome.IsFinding) Findings.Add(new(number, outcome.Kind, outcome.Detail));
        }
    }

    public void AddProcess(double cpuSeconds, long residentBytes)
    {
        lock (_lock)
        {
            CpuSeconds += cpuSeconds;
            MaxResidentBytes = Math.Max(MaxResidentBytes, residentBytes);
        }
    }
}
