using System.Reflection;

namespace Fewbit.Cli.Console;

/// <summary>The version of this build.</summary>
internal static class ToolVersion
{
    /// <summary>Such as 0.1.0, without the revision that the compiler may add.</summary>
    public static string Text { get; } = (typeof(ToolVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown").Split('+')[0];
}
