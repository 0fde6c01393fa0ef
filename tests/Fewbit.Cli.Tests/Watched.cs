namespace Fewbit.Cli.Tests;

/// <summary>A writer that does something when a line with a text comes.</summary>
internal sealed class Watched(string text, Action act) : StringWriter
{
    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        if (value?.Contains(text, StringComparison.Ordinal) == true) act();
    }
}
