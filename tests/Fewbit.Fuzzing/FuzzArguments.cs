using System.Globalization;

namespace Fewbit.Fuzzing;

/// <summary>The command line.</summary>
internal sealed record FuzzArguments
{
    private const string Usage = """
        fuzzing [--models N] [--data N] [--weights N] [--seed S] [--first N] [--processes P] [--folder DIR] [--report FILE]
        fuzzing --seeds
        fuzzing --case N --kind models|data|weights [--seed S] [--folder DIR]
        """;

    public int Seed { get; init; } = 20260101;

    /// <summary>Number of the first case.</summary>
    public long First { get; init; }

    public int Processes { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>Where children work and the files of findings are kept.</summary>
    public string Folder { get; init; } = Path.Combine(Path.GetTempPath(), "fewbit-fuzzing");

    /// <summary>File for the report; null for none.</summary>
    public string? Report { get; init; }

    /// <summary>The one case to try in this process.</summary>
    public long? Case { get; init; }

    /// <summary>Whether the unchanged seeds are tried instead.</summary>
    public bool ListsSeeds { get; init; }

    public string Kind { get; init; } = "models";

    /// <summary>Cases by kind.</summary>
    public IReadOnlyList<(string Kind, long Count)> Counts { get; init; } = [];

    public static FuzzArguments? Parse(string[] args)
    {
        var given = new FuzzArguments();
        for (int i = 0; i < args.Length; i += 2)
        {
            string value = i + 1 < args.Length ? args[i + 1] : "";
            bool isNumber = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
            given = args[i] switch
            {
                "--models" or "--data" or "--weights" when isNumber => given with { Counts = [.. given.Counts, (args[i][2..], number)] },
                "--seeds" => given with { ListsSeeds = true },
                "--seed" when isNumber => given with { Seed = (int)number },
                "--first" when isNumber => given with { First = number },
                "--processes" when isNumber && number > 0 => given with { Processes = (int)number },
                "--case" when isNumber => given with { Case = number },
                "--kind" when value is "models" or "data" or "weights" => given with { Kind = value },
                "--folder" when value.Length > 0 => given with { Folder = Path.GetFullPath(value) },
                "--report" when value.Length > 0 => given with { Report = value },
                _ => null,
            };
            if (given is null)
            {
                Console.Error.WriteLine($"'{args[i]} {value}' is not understood\n{Usage}");
                return null;
            }
        }
        if (given.Counts.Count == 0 && given.Case is null) given = given with { Counts = [("models", 20_000), ("data", 5_000), ("weights", 5_000)] };
        return given;
    }
}
